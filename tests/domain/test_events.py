"""Events on the wire: one flat object without duplicate fields."""

import orjson
import pytest

from hubbub.domain.events import EVENTS, Event, MemberJoined, MessageEdited, MessageSent, ReadMoved, RoomRemoved
from hubbub.protocol import wire
from hubbub.storage.event_text import encode

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
        MessageEdited(room=1, message=2, by=2, body='"\u2028</script>'),
        MessageEdited(room=1, message=2, by=2, body=None),
        MemberJoined(room=1, user=2, user_name="bob", by=2),
        ReadMoved(person=2, room=1, read_seq=4, unread_count=0),
        RoomRemoved(person=2, room=1),
    ],
    ids=lambda event: event.type,
)
def test_an_encoded_event_is_one_strict_json_object_with_its_position(event: Event) -> None:
    text, _ = encode(event, event.topic, 7, "2026-01-01T00:00:00.000Z")
    found = wire.parse(text)
    assert found == orjson.loads(text)
    assert [found[name] for name in ("topic", "seq", "type")] == [event.topic, 7, event.type]
    assert "person" not in found
    assert not isinstance(event, MessageEdited) or found["body"] == event.body


@pytest.mark.parametrize("body", ["new", None])
def test_a_stored_edit_has_no_text(body: str | None) -> None:
    event = MessageEdited(room=1, message=2, by=2, body=body)
    assert orjson.loads(encode(event, event.topic, 7, "2026-01-01T00:00:00.000Z")[1]) == {
        "room": 1, "message": 2, "by": 2,
    }  # fmt: skip
