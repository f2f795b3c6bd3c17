"""Permissions of every user for every route and command, compared to `matrix.txt`.

After an intended change, `HUBBUB_WRITE_MATRIX=1 pytest tests/authorisation` rewrites the file and
adds rows for new commands and routes; read the diff.
"""

import asyncio
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from fastapi import APIRouter
from starlette.routing import Route

from hubbub.gateways.http.app import ROUTERS
from tests.authorisation import table
from tests.authorisation.requests import ROOM, SITE, Row
from tests.authorisation.world import Room, World, create_users
from tests.support.routes import ASKED, BY_ROUTE, operation_of
from tests.support.server import Server

BROKEN = ("-m", "tests.support.broken_server")
IN_ROOMS = ("public", "private", "archived", "direct")
SINCE = "events.since"
WRITING = "HUBBUB_WRITE_MATRIX" in os.environ
Matrix = dict[str, table.Section]
Seen = dict[str, Matrix]
"""Gateway → section → row → column → answer."""


def wire_fields() -> dict[str, set[str]]:
    """Return what clients can send over WebSocket, with the names of its fields."""
    return {kind: set(model.model_fields) for kind, model in ASKED.items()} | {SINCE: {"room"}}


def rest_routes(routers: Iterable[APIRouter]) -> dict[str, tuple[str, str]]:
    """Return method and path of every route that no command's row covers, by name."""
    return {
        route.name: (method, route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
        if (method, route.path) not in BY_ROUTE
    }


def without_a_row(matrix: Matrix, routers: Iterable[APIRouter] = ROUTERS) -> set[str]:
    """Return commands and routes without a row.

    Those that name a room need a row in the public and the private section, all others in the
    site's.
    """
    in_a_room = about_rooms(routers)
    others = {*wire_fields(), *rest_routes(routers)} - in_a_room
    return table.missing(in_a_room, matrix["public"], matrix["private"]) | table.missing(others, matrix["site"])


def about_rooms(routers: Iterable[APIRouter]) -> set[str]:
    """Return commands and routes that name a room."""
    by_path = {name for name, (_, path) in rest_routes(routers).items() if "{room}" in path}
    return by_path | {name for name, fields in wire_fields().items() if "room" in fields}


def with_all_rows(matrix: Matrix) -> Matrix:
    """Return the matrix with a row for each command and route that has none, to be asked and written."""
    missing, in_a_room = sorted(without_a_row(matrix)), about_rooms(ROUTERS)
    found = {}
    for section, rows in matrix.items():
        empty = dict.fromkeys(next(iter(rows.values())), "-")
        new = [name for name in missing if (name in in_a_room) is (section in IN_ROOMS)]
        found[section] = {**rows, **dict.fromkeys(new, empty)}
    return found


# --- asking all rows -------------------------------------------------------------------------------------------------


async def walk(world: World, matrix: Matrix) -> Seen:
    seen: Seen = {"REST": {}, "WebSocket": {}}
    try:
        await world.begin()
        for section in (*IN_ROOMS, "site"):
            room = world.rooms.get(section) or Room(0, link=await world.link(None), webhook=await world.hook(None))
            requests = SITE if section == "site" else ROOM
            for row in matrix[section]:
                for gateway in seen:
                    answers = await ask_all(
                        world, room, gateway, row, requests.get(row, Row()), list(matrix[section][row])
                    )
                    if answers:
                        seen[gateway].setdefault(section, {})[row] = answers
    finally:
        await world.end()
    return seen


async def ask_all(world: World, room: Room, gateway: str, row: str, ask: Row, columns: list[str]) -> dict[str, str]:
    """Return every column's answer over one gateway.

    Empty if the gateway has no such row. Rows with an undo run one user at a time.
    """
    thing = table.base(row)
    operation = operation_of(thing)
    if (gateway == "WebSocket" and thing not in ASKED) or (gateway == "REST" and operation is None):
        return {}

    async def answer(name: str) -> str:
        fields = ask.fields(row, world, room)
        if operation is None or gateway == "WebSocket":
            return await world.over_wire(thing, name, fields)
        return await world.over_rest(operation, name, fields)

    if ask.undo is None:
        return dict(zip(columns, await asyncio.gather(*map(answer, columns)), strict=True))
    answers = {}
    for name in columns:
        answers[name] = await answer(name)
        if answers[name] == "ok":
            await ask.undo(world, room, name)
    return answers


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    there = table.read(table.FILE.read_text())
    return with_all_rows(there) if WRITING else there


def seen_at(data: Path, matrix: Matrix, fault: str | None = None) -> Seen:
    """Return the answers of a server of its own."""
    server = Server(data) if fault is None else Server(data, {"BROKEN": fault}, BROKEN)
    people = asyncio.run(create_users(server))
    with server:
        return asyncio.run(walk(World(server, people), matrix))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, matrix: Matrix) -> Seen:
    found = seen_at(tmp_path_factory.mktemp("matrix") / "data", matrix)
    if WRITING:
        table.write(matrix, found)
    return found


def differences(expected: table.Section, found: table.Section) -> list[str]:
    """Return a sentence for each cell that differs from the matrix."""
    return [
        f"{row} as {column}: {expected[row][column]} is right, {answer} was the answer"
        for row, cells in found.items()
        for column, answer in cells.items()
        if expected[row][column] != answer
    ]


@pytest.mark.parametrize("gateway", ["REST", "WebSocket"])
@pytest.mark.parametrize("section", [*IN_ROOMS, "site"])
def test_every_user_may_do_what_the_matrix_allows_and_nothing_else(
    seen: Seen, matrix: Matrix, section: str, gateway: str
) -> None:
    assert differences(matrix[section], seen[gateway][section]) == []


def test_every_cell_of_the_matrix_is_asked_over_at_least_one_gateway(seen: Seen, matrix: Matrix) -> None:
    for section, rows in matrix.items():
        asked = {row: {**seen["WebSocket"][section].get(row, {}), **seen["REST"][section].get(row, {})} for row in rows}
        assert {row: set(cells) for row, cells in rows.items()} == {row: set(cells) for row, cells in asked.items()}


def test_every_route_and_every_command_has_a_row(matrix: Matrix) -> None:
    assert without_a_row(matrix) == set()


def test_control_a_route_or_command_without_a_row_is_detected(matrix: Matrix) -> None:
    more = APIRouter()
    more.add_api_route("/api/rooms/{room}/secrets", lambda: None, name="list_secrets")
    more.add_api_route("/api/backdoor", lambda: None, name="backdoor")
    assert without_a_row(matrix, [*ROUTERS, more]) == {"list_secrets", "backdoor"}
    for section, row in (("private", "member.ban"), ("public", "message.edit"), ("site", "list_sessions")):
        less = {
            name: {r: c for r, c in rows.items() if table.base(r) != row or name != section}
            for name, rows in matrix.items()
        }
        assert without_a_row(less) == {row}


def test_a_row_is_added_for_each_command_and_route_without_one(matrix: Matrix) -> None:
    less = {name: {r: c for r, c in rows.items() if table.base(r) != "member.ban"} for name, rows in matrix.items()}
    found = with_all_rows(less)
    assert without_a_row(found) == set()
    for section in IN_ROOMS:
        assert found[section]["member.ban"].keys() == matrix[section]["member.ban"].keys()
    assert "member.ban" not in found["site"]


def test_control_a_wrong_cell_is_detected(seen: Seen, matrix: Matrix) -> None:
    wrong = {row: dict(cells) for row, cells in matrix["private"].items()}
    wrong["message.edit"]["room-owner"] = "ok"
    found = differences(wrong, seen["REST"]["private"])
    assert found == ["message.edit as room-owner: ok is right, 403 was the answer"]


def test_control_a_server_that_breaks_a_rule_is_detected(tmp_path: Path, matrix: Matrix) -> None:
    few = {
        section: {row: matrix[section][row] for row in ("member.ban", "list_bans")} for section in ("public", "private")
    }
    broken = seen_at(tmp_path / "data", few | {key: {} for key in ("archived", "direct", "site")}, "rank-all-as-staff")
    for gateway, section in itertools.product(("REST", "WebSocket"), few):
        found = differences(few[section], broken[gateway][section])
        assert "member.ban as member: 403 is right, ok was the answer" in found, gateway
