"""The rules for names and REST in docs/protocol.md hold for every command, event and route."""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from hubbub.domain.commands import Command
from hubbub.domain.events import CLIENT_EVENTS, Event
from hubbub.gateways.http.commands import operation_id
from tests.generated.contract import operations, read, responses
from tests.support.routes import WIRE

IDS = {
    "room": "integer", "user": "integer", "by": "integer", "message": "integer", "reply_to": "integer",
    "session": "string",
}  # fmt: skip
EVENTS_OF_OTHER_NAMES = {
    "message.forward": "message.sent",
    "room.join": "member.joined",
    "room.leave": "member.left",
    "room.read": "room.read_moved",
    "room.unread": "room.read_moved",
    "rooms.read": "room.read_moved",
    "member.add": "member.joined",
    "member.set_role": "member.role_changed",
    "room.set_preferences": "room.preferences_changed",
    "status.set": "status.changed",
}
"""The events of commands, where it is not the same noun with the past participle of the verb."""
PAST = {
    "send": "sent", "edit": "edited", "delete": "deleted", "pin": "pinned", "unpin": "unpinned", "add": "added",
    "remove": "removed", "create": "created", "update": "updated", "archive": "archived", "restore": "restored",
    "ban": "banned", "unban": "unbanned",
}  # fmt: skip
CREATING = {"create_user", "create_room", "send_message", "forward_message", "create_invite", "create_webhook"}


def types_of(model: type[BaseModel]) -> Iterator[tuple[str, set[str]]]:
    """Return the name of each field, and its JSON types without null."""
    for name, schema in read("schema.json")["$defs"][model.__name__]["properties"].items():
        choices = schema.get("anyOf", [schema])
        yield name, {choice.get("type", "object") for choice in choices} - {"null"}


@pytest.mark.parametrize("model", [*WIRE, *CLIENT_EVENTS], ids=lambda model: model.__name__)
def test_fields_named_after_things_hold_ids(model: type[BaseModel]) -> None:
    for name, types in types_of(model):
        if name in IDS:
            assert types == {IDS[name]}, f"{model.__name__}.{name}"


@pytest.mark.parametrize("event", CLIENT_EVENTS, ids=lambda event: event.type)
def test_a_name_in_an_event_is_that_of_the_acting_user(event: type[Event]) -> None:
    fields = event.model_fields
    assert "name" not in fields or "by" in fields
    assert "user_name" not in fields or "user" in fields


def test_every_command_is_a_noun_and_a_verb_and_has_its_event() -> None:
    types = {event.type for event in CLIENT_EVENTS}
    for command in WIRE:
        noun, _, verb = command.kind.partition(".")
        event = EVENTS_OF_OTHER_NAMES.get(command.kind) or f"{noun}.{PAST[verb]}"
        assert event in types, command.kind
    assert {command.kind for command in WIRE} >= EVENTS_OF_OTHER_NAMES.keys()


def test_plural_nouns_hold_lists_and_counts_hold_numbers() -> None:
    defs = read("schema.json")["$defs"]
    plural = re.compile(r"(members|users|rooms|messages|mentions|reactions|presences|events|sessions|invites)")
    for name, schema in defs.items():
        for field, inner in schema.get("properties", {}).items():
            if plural.fullmatch(field) and name != "Answers":
                assert inner.get("type") == "array" or "$ref" in inner, f"{name}.{field}"
            if field.endswith("_count"):
                assert inner.get("type") == "integer", f"{name}.{field}"


def test_routes_of_commands_follow_from_the_commands() -> None:
    there = {name: (method, path) for name, (method, path) in operations().items()}
    for command in WIRE:
        assert there[operation_id(command)] == command.rest
        assert ("201" in responses()[operation_id(command)]) == command.creates


def test_what_creates_something_is_a_post_answered_with_201() -> None:
    made = {name for name, answers in responses().items() if "201" in answers}
    assert made == CREATING
    assert {operations()[name][0] for name in made} == {"POST"}


def test_a_put_names_what_it_sets_and_a_delete_what_it_removes() -> None:
    for name, (method, path) in operations().items():
        if method in ("PUT", "DELETE", "PATCH"):
            assert "{" in path or "/me" in path, name


@pytest.mark.parametrize("command", WIRE, ids=lambda command: command.kind)
def test_path_parameters_are_fields_of_the_command(command: type[Command]) -> None:
    assert command.rest is not None
    assert set(re.findall(r"{(\w+)}", command.rest[1])) <= command.model_fields.keys()


def test_no_path_has_a_name_where_another_has_an_id() -> None:
    """A method that only the other path has would be refused as a bad id instead of a bad method."""
    paths = {path for _, path in operations().values()}
    for path in paths:
        pattern = re.compile(re.sub(r"{\w+}", "[^/{}]+", path))
        shadowed = {other for other in paths - {path} if pattern.fullmatch(other)}
        assert {other for other in shadowed if not other.startswith(("/api/users/me", "/api/invites/"))} == set(), path
