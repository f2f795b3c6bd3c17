"""Steps of adding a feature that are easy to forget.

They concern commands, handlers, routes, events and errors.
"""

from collections.abc import Iterator
from typing import TypeVar

import pytest
from starlette.routing import BaseRoute, Route

from hubbub.domain import commands, errors, events
from hubbub.domain.commands import Command, FollowerCommand
from hubbub.domain.commands.examples import shown
from hubbub.domain.errors import ERRORS, HubbubError
from hubbub.domain.events import EVENTS, Event
from hubbub.features import HANDLERS
from hubbub.gateways.http.errors import STATUS
from tests.support.routes import ASKED, WIRE

T = TypeVar("T")


def leaves(root: type[T]) -> Iterator[type[T]]:
    """Return the classes of a tree without subclasses."""
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from leaves(child)


def test_every_command_has_exactly_one_handler() -> None:
    of_commands = {found for found in leaves(Command) if found.__module__.startswith(commands.__name__)}
    of_commands = {found for found in of_commands if not found.__pydantic_generic_metadata__["args"]}
    handled = {found for found in HANDLERS if found.__module__.startswith(commands.__name__)}
    assert handled == of_commands - {FollowerCommand}, "FollowerCommand is a base class"


def test_every_event_is_in_the_list_of_events() -> None:
    of_events = {found for found in leaves(Event) if found.__module__.startswith(events.__name__)}
    assert set(EVENTS) == of_events
    assert len({event.type for event in EVENTS}) == len(EVENTS)


def test_every_error_is_in_the_list_of_errors_and_has_a_status() -> None:
    of_errors = {found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, HubbubError)}
    assert set(ERRORS) == of_errors - {HubbubError}
    assert {error.code for error in ERRORS} == set(STATUS)


def test_every_wire_command_has_a_route() -> None:
    there = set(routes())
    assert {command.kind: command.rest for command in WIRE if command.rest not in there} == {}


@pytest.mark.parametrize("kind", ASKED)
def test_every_request_of_the_wire_has_an_example_that_its_model_accepts(kind: str) -> None:
    assert ASKED[kind].example is not None, "declare one after the fields"
    ASKED[kind].model_validate({"type": kind, **shown(ASKED[kind], ASKED[kind].example)})


def routes() -> Iterator[tuple[str, str]]:
    from hubbub.gateways.http.app import ROUTERS

    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, BaseRoute)
            if isinstance(route, Route):
                for method in route.methods or ():
                    yield method, route.path


def test_no_two_commands_have_the_same_kind() -> None:
    kinds = [found.kind for found in HANDLERS]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("error", ERRORS)
def test_errors_have_a_sentence_for_users(error: type[HubbubError]) -> None:
    assert error().body()["message"] == error.sentence
    assert error.sentence.endswith(".")
