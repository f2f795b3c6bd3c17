"""Events on the wire: one flat object without duplicate fields."""

from types import NoneType
from typing import get_args

import orjson
import pytest

from hubbub.domain.entries import parse_entry
from hubbub.domain.events import (
    BY_TYPE,
    EVENTS,
    Event,
    IdentityRevoked,
    MemberJoined,
    MessageEdited,
    MessageSent,
    ReadMoved,
    RoomRemoved,
    SettingChanged,
)
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


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=lambda event: event.type)
def test_other_nodes_read_an_event_without_its_empty_fields(event: type[Event]) -> None:
    """An empty field is left out on the wire, so it must have a default. `body` is written as null."""
    nullable = {name: field for name, field in event.model_fields.items() if NoneType in get_args(field.annotation)}
    assert {name for name, field in nullable.items() if field.is_required()} <= {"body"}


@pytest.mark.parametrize(
    "event",
    [
        SettingChanged(setting="name", value=None, by=0), IdentityRevoked(user=None),
        MessageEdited(room=1, message=2, by=2, body=None),
    ],
    ids=lambda event: event.type,
)  # fmt: skip
def test_an_event_with_an_empty_field_is_the_same_on_another_node(event: Event) -> None:
    text, _ = encode(event, event.topic, 7, "2026-01-01T00:00:00.000Z")
    assert parse_entry(text).event == event


@pytest.mark.parametrize("body", ["new", None])
def test_a_stored_edit_has_no_text(body: str | None) -> None:
    event = MessageEdited(room=1, message=2, by=2, body=body)
    assert orjson.loads(encode(event, event.topic, 7, "2026-01-01T00:00:00.000Z")[1]) == {
        "room": 1, "message": 2, "by": 2,
    }  # fmt: skip
