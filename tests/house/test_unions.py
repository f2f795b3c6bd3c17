"""Steps of adding a feature that are easy to forget.

They concern commands, handlers, routes, events and errors.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeVar, get_args

import pytest
from scripts.contract import lists
from scripts.contract.output import ROOT, differences
from starlette.routing import BaseRoute, Route

from hubbub.domain import commands, errors, events
from hubbub.domain.commands import AnyStaffCommand, AnyWireCommand, Command, FollowerCommand, Prune, Requires
from hubbub.domain.commands.examples import shown
from hubbub.domain.errors import ERRORS, HubbubError
from hubbub.domain.events import EVENTS, ClientEvent, Event, SessionRevoked
from hubbub.features import HANDLERS
from hubbub.gateways import http
from hubbub.gateways.http import app
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


def test_the_lists_are_those_of_the_definitions() -> None:
    assert differences(lists.files(ROOT)) == ""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return the root of a copy of the domain."""
    shutil.copytree(ROOT / lists.DOMAIN, tmp_path / lists.DOMAIN)
    return tmp_path


COMMAND = """

class {name}({base}):
    {body}
"""


@pytest.mark.parametrize(
    ("module", "name", "base", "body", "union"),
    [
        ("commands/reactions", "Praise", "MessageCommand", 'type: Literal["praise"] = "praise"', "AnyWireCommand"),
        ("commands/reactions", "Praise", "MessageCommand", 'rest = ("POST", "/api/praise")', "AnyStaffCommand"),
        ("commands/presence", "Praise", "Signal", 'type: Literal["praise"] = "praise"', "AnySignal"),
        ("events/reactions", "Praised", "ReactionEvent", 'type = "praised"', "ClientEvent"),
        ("events/security", "Praised", "SecurityEvent", 'type = "praised"', "InternalEvent"),
        ("commands/reactions", "Praise", "MessageCommand", "pass", None),
        ("commands/reactions", "Praise", "Frozen", 'type: Literal["praise"] = "praise"', None),
        ("events/reactions", "Praised", "ReactionEvent", "pass", None),
    ],
)
def test_a_new_definition_is_exported_and_in_its_union_alone(
    copy: Path, module: str, name: str, base: str, body: str, union: str | None
) -> None:
    before = lists.files(copy)
    with (copy / lists.DOMAIN / f"{module}.py").open("a") as file:
        file.write(COMMAND.format(name=name, base=base, body=body))
    after = lists.files(copy)
    package = f"{lists.DOMAIN}/{module.partition('/')[0]}"
    exports, unions = after[f"{package}/__init__.py"], after[f"{package}/unions.py"]
    assert f'    "{name}",' in exports
    assert holding(unions, name) == ([] if union is None else [union])
    assert f'+    "{name}",' in differences(after, copy)
    assert {path for path in after if after[path] != before[path]} == {
        f"{package}/{file}" for file in ("__init__.py", "unions.py") if file == "__init__.py" or union
    }


def holding(source: str, name: str) -> list[str]:
    """Return the unions of a module that have this member."""
    unions = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return [
        ast.unparse(union.targets[0])
        for union in unions
        if any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(union.value))
    ]


def test_a_deleted_definition_leaves_all_lists_though_nothing_can_be_imported(copy: Path) -> None:
    (copy / lists.DOMAIN / "commands/reactions.py").unlink()
    found = lists.files(copy)
    assert "AddReaction" not in "".join(found.values())
    assert "-    | AddReaction" in differences(found, copy)


def test_two_definitions_with_the_same_name_are_refused(copy: Path) -> None:
    with (copy / lists.DOMAIN / "commands/reactions.py").open("a") as file:
        file.write(COMMAND.format(name="PinMessage", base="MessageCommand", body="pass"))
    with pytest.raises(SystemExit, match="define PinMessage"):
        lists.files(copy)


def test_writing_the_lists_does_not_import_what_they_belong_to() -> None:
    code = "import sys, scripts.contract.__main__; sys.exit('hubbub' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_type_checkers_see_the_members_of_the_unions() -> None:
    """In `make check`, mypy reports each of these comments as unused if it takes a union for Any."""
    command: AnyWireCommand = Prune(what="answers", before=0)  # type: ignore[assignment]
    event: ClientEvent = SessionRevoked(session="", user=1)  # type: ignore[assignment]
    assert type(command) not in get_args(AnyWireCommand)
    assert type(event) not in get_args(ClientEvent)


def test_commands_with_a_route_and_without_a_wire_name_are_for_staff() -> None:
    assert [command for command in get_args(AnyStaffCommand) if Requires.STAFF not in command.requires] == []


def test_every_event_is_in_the_list_and_has_its_own_type() -> None:
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


OPERATOR = {"operator"}
"""Modules with routes on the operator's socket."""


def test_every_router_is_in_the_list_of_routers() -> None:
    modules = {found.name: import_module(f"{http.__name__}.{found.name}") for found in iter_modules(http.__path__)}
    routers = {name: vars(module)["router"] for name, module in modules.items() if "router" in vars(module)}
    assert len(routers) > 10
    assert {name for name, router in routers.items() if router not in app.ROUTERS} == OPERATOR


def routes() -> Iterator[tuple[str, str]]:
    for router in app.ROUTERS:
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
