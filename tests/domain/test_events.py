"""Events on the wire: one flat object without duplicate fields."""

import orjson
import pytest

from hubbub.domain.events import EVENTS, Event, MemberJoined, MessageSent, ReadMoved, RoomRemoved
from hubbub.protocol import wire
from hubbub.storage.transaction import encode

ENVELOPE = {"topic", "seq", "type", "at"}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_no_event_field_has_the_name_of_an_envelope_field(event: type[Event]) -> None:
    assert not ENVELOPE & event.model_fields.keys()


def test_event_types_are_unique() -> None:
    assert len({event.type for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize(
    "event",
    [
        MessageSent(room=1, by=2, name="bob", n=3, key="k", body='"\u2028</script>'),
        MemberJoined(room=1, user=2, user_name="bob", by=2),
        ReadMoved(person=2, room=1, read_seq=4, unread_count=0),
        RoomRemoved(person=2, room=1),
    ],
    ids=lambda event: event.type,
)
def test_an_encoded_event_is_one_strict_json_object_with_its_position(event: Event) -> None:
    text = encode(event, event.topic, 7, "2026-01-01T00:00:00.000Z")
    found = wire.parse(text)
    assert found == orjson.loads(text)
    assert [found[name] for name in ("topic", "seq", "type")] == [event.topic, 7, event.type]
    assert "person" not in found
