"""Who may do what: every route and every command × everybody, over REST and over WebSocket, held against `matrix.txt`.

After a change that is meant, `HUBBUB_WRITE_MATRIX=1 pytest tests/authorisation` writes the file anew; read the diff.
"""

import asyncio
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from fastapi import APIRouter
from starlette.routing import Route

from hubbub.domain.commands import AnySignal, AnyWireCommand
from hubbub.gateways.http.app import ROUTERS
from tests.authorisation import table
from tests.authorisation.asks import ROOM, SITE, Ask
from tests.authorisation.cast import Play, Room, route_of, settle
from tests.house.test_unions import ROUTES
from tests.support.server import Server

BROKEN = ("-m", "tests.authorisation.broken_server")
IN_ROOMS = ("public", "private", "archived", "direct")
SINCE = "events.since"
Matrix = dict[str, table.Section]
Seen = dict[str, Matrix]
"""Door → section → row → column → answer."""


def of_the_wire() -> dict[str, set[str]]:
    """What can be asked over WebSocket, with the names of its fields."""
    found = {command.kind: set(command.model_fields) for command in get_args(AnyWireCommand)}
    for signal in get_args(AnySignal):
        found[get_args(signal.model_fields["type"].annotation)[0]] = set(signal.model_fields)
    return found | {SINCE: {"room"}}


def of_rest(routers: Iterable[APIRouter]) -> dict[str, tuple[str, str]]:
    """Method and path of every route by its name, but for those that have a command's row."""
    commands = {*ROUTES.values(), route_of(SINCE)}
    return {
        route.name: (method, route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
        if (method, route.path) not in commands
    }


def without_a_row(matrix: Matrix, routers: Iterable[APIRouter] = ROUTERS) -> set[str]:
    """What nobody has said who may do it: what names a room, in a public and in a private one, all else on the site."""
    in_a_room = {name for name, fields in of_the_wire().items() if "room" in fields}
    in_a_room |= {name for name, (_, path) in of_rest(routers).items() if "{room}" in path}
    others = {*of_the_wire(), *of_rest(routers)} - in_a_room
    return table.missing(in_a_room, matrix["public"], matrix["private"]) | table.missing(others, matrix["site"])


# --- the walk ---------------------------------------------------------------------------------------------------------


async def walk(play: Play, matrix: Matrix) -> Seen:
    seen: Seen = {"REST": {}, "WebSocket": {}}
    try:
        await play.begin()
        for section in (*IN_ROOMS, "site"):
            room = play.rooms.get(section) or Room(0, link=await play.link(None))
            asks = SITE if section == "site" else ROOM
            for row in matrix[section]:
                for door in seen:
                    answers = await ask_all(play, room, door, row, asks[row], list(matrix[section][row]))
                    if answers:
                        seen[door].setdefault(section, {})[row] = answers
    finally:
        await play.end()
    return seen


async def ask_all(play: Play, room: Room, door: str, row: str, ask: Ask, columns: list[str]) -> dict[str, str]:
    """What everybody is told by one door; nothing where it has no such row. What is undone is asked one by one."""
    thing = table.base(row)
    route = of_rest(ROUTERS).get(thing) or (route_of(thing) if thing in {*ROUTES, SINCE} else None)
    if (door == "WebSocket" and thing not in of_the_wire()) or (door == "REST" and route is None):
        return {}

    async def answer(name: str) -> str:
        fields = ask.fields(play, room, name)
        if route is None or door == "WebSocket":
            return await play.over_wire(thing, name, fields)
        return await play.over_rest(route, name, fields, form=ask.form)

    if ask.undo is None:
        return dict(zip(columns, await asyncio.gather(*map(answer, columns)), strict=True))
    answers = {}
    for name in columns:
        answers[name] = await answer(name)
        if answers[name] == "ok":
            await ask.undo(play, room, name)
    return answers


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return table.read(table.FILE.read_text())


def seen_at(data: Path, matrix: Matrix, launcher: tuple[str, ...] = ("-m", "hubbub")) -> Seen:
    """What everybody is told by a server of its own."""
    server = Server(data, launcher=launcher)
    people = asyncio.run(settle(server))
    with server:
        return asyncio.run(walk(Play(server, people), matrix))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, matrix: Matrix) -> Seen:
    found = seen_at(tmp_path_factory.mktemp("matrix") / "data", matrix)
    if os.environ.get("HUBBUB_WRITE_MATRIX"):
        table.write(matrix, found)
    return found


def differences(expected: table.Section, found: table.Section) -> list[str]:
    """A sentence for each cell that is not as the matrix says."""
    return [
        f"{row} as {column}: {expected[row][column]} is right, {answer} was the answer"
        for row, cells in found.items()
        for column, answer in cells.items()
        if expected[row][column] != answer
    ]


@pytest.mark.parametrize("door", ["REST", "WebSocket"])
@pytest.mark.parametrize("section", [*IN_ROOMS, "site"])
def test_everybody_may_do_what_the_matrix_says_and_nothing_else(
    seen: Seen, matrix: Matrix, section: str, door: str
) -> None:
    assert differences(matrix[section], seen[door][section]) == []


def test_every_cell_was_asked_by_some_door(seen: Seen, matrix: Matrix) -> None:
    for section, rows in matrix.items():
        asked = {row: {**seen["WebSocket"][section].get(row, {}), **seen["REST"][section].get(row, {})} for row in rows}
        assert {row: set(cells) for row, cells in rows.items()} == {row: set(cells) for row, cells in asked.items()}


def test_every_route_and_every_command_has_a_row(matrix: Matrix) -> None:
    assert without_a_row(matrix) == set()


def test_control_a_route_or_a_command_without_a_row_is_found(matrix: Matrix) -> None:
    more = APIRouter()
    more.add_api_route("/api/rooms/{room}/secrets", lambda: None, name="list_secrets")
    more.add_api_route("/api/backdoor", lambda: None, name="backdoor")
    assert without_a_row(matrix, [*ROUTERS, more]) == {"list_secrets", "backdoor"}
    for section, row in (("private", "room.ban"), ("public", "message.edit"), ("site", "list_sessions")):
        less = {
            name: {r: c for r, c in rows.items() if table.base(r) != row or name != section}
            for name, rows in matrix.items()
        }
        assert without_a_row(less) == {row}


def test_control_a_cell_that_is_wrong_is_found(seen: Seen, matrix: Matrix) -> None:
    wrong = {row: dict(cells) for row, cells in matrix["private"].items()}
    wrong["message.edit"]["room-owner"] = "ok"
    found = differences(wrong, seen["REST"]["private"])
    assert found == ["message.edit as room-owner: ok is right, 403 was the answer"]


def test_control_a_server_that_breaks_a_rule_is_found_out(tmp_path: Path, matrix: Matrix) -> None:
    few = {
        section: {row: matrix[section][row] for row in ("room.ban", "list_bans")} for section in ("public", "private")
    }
    broken = seen_at(tmp_path / "data", few | {key: {} for key in ("archived", "direct", "site")}, BROKEN)
    for door, section in itertools.product(("REST", "WebSocket"), few):
        found = differences(few[section], broken[door][section])
        assert "room.ban as member: 403 is right, ok was the answer" in found, door
