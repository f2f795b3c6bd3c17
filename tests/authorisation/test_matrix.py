"""Permissions of every user for every route and command, compared to `matrix.txt`.

After an intended change, `HUBBUB_WRITE_MATRIX=1 pytest tests/authorisation` rewrites the file; read
the diff.
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
from tests.authorisation.requests import ROOM, SITE, Request
from tests.authorisation.world import Room, World, create_users, route_of
from tests.support.routes import ROUTES
from tests.support.server import Server

BROKEN = ("-m", "tests.authorisation.broken_server")
IN_ROOMS = ("public", "private", "archived", "direct")
SINCE = "events.since"
Matrix = dict[str, table.Section]
Seen = dict[str, Matrix]
"""Gateway → section → row → column → answer."""


def wire_fields() -> dict[str, set[str]]:
    """Return what clients can send over WebSocket, with the names of its fields."""
    found = {command.kind: set(command.model_fields) for command in get_args(AnyWireCommand)}
    for signal in get_args(AnySignal):
        found[get_args(signal.model_fields["type"].annotation)[0]] = set(signal.model_fields)
    return found | {SINCE: {"room"}}


def rest_routes(routers: Iterable[APIRouter]) -> dict[str, tuple[str, str]]:
    """Return method and path of every route that no command's row covers, by name."""
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
    """Return commands and routes without a row.

    Those that name a room need a row in the public and the private section, all others in the
    site's.
    """
    in_a_room = {name for name, fields in wire_fields().items() if "room" in fields}
    in_a_room |= {name for name, (_, path) in rest_routes(routers).items() if "{room}" in path}
    others = {*wire_fields(), *rest_routes(routers)} - in_a_room
    return table.missing(in_a_room, matrix["public"], matrix["private"]) | table.missing(others, matrix["site"])


# --- asking all rows -------------------------------------------------------------------------------------------------


async def walk(world: World, matrix: Matrix) -> Seen:
    seen: Seen = {"REST": {}, "WebSocket": {}}
    try:
        await world.begin()
        for section in (*IN_ROOMS, "site"):
            room = world.rooms.get(section) or Room(0, link=await world.link(None))
            requests = SITE if section == "site" else ROOM
            for row in matrix[section]:
                for gateway in seen:
                    answers = await ask_all(world, room, gateway, row, requests[row], list(matrix[section][row]))
                    if answers:
                        seen[gateway].setdefault(section, {})[row] = answers
    finally:
        await world.end()
    return seen


async def ask_all(world: World, room: Room, gateway: str, row: str, ask: Request, columns: list[str]) -> dict[str, str]:
    """Return every column's answer over one gateway.

    Empty if the gateway has no such row. Rows with an undo run one user at a time.
    """
    thing = table.base(row)
    route = rest_routes(ROUTERS).get(thing) or (route_of(thing) if thing in {*ROUTES, SINCE} else None)
    if (gateway == "WebSocket" and thing not in wire_fields()) or (gateway == "REST" and route is None):
        return {}

    async def answer(name: str) -> str:
        fields = ask.fields(world, room, name)
        if route is None or gateway == "WebSocket":
            return await world.over_wire(thing, name, fields)
        return await world.over_rest(route, name, fields, form=ask.form)

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
    return table.read(table.FILE.read_text())


def seen_at(data: Path, matrix: Matrix, launcher: tuple[str, ...] = ("-m", "hubbub")) -> Seen:
    """Return the answers of a server of its own."""
    server = Server(data, launcher=launcher)
    people = asyncio.run(create_users(server))
    with server:
        return asyncio.run(walk(World(server, people), matrix))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, matrix: Matrix) -> Seen:
    found = seen_at(tmp_path_factory.mktemp("matrix") / "data", matrix)
    if os.environ.get("HUBBUB_WRITE_MATRIX"):
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


def test_control_a_wrong_cell_is_detected(seen: Seen, matrix: Matrix) -> None:
    wrong = {row: dict(cells) for row, cells in matrix["private"].items()}
    wrong["message.edit"]["room-owner"] = "ok"
    found = differences(wrong, seen["REST"]["private"])
    assert found == ["message.edit as room-owner: ok is right, 403 was the answer"]


def test_control_a_server_that_breaks_a_rule_is_detected(tmp_path: Path, matrix: Matrix) -> None:
    few = {
        section: {row: matrix[section][row] for row in ("member.ban", "list_bans")} for section in ("public", "private")
    }
    broken = seen_at(tmp_path / "data", few | {key: {} for key in ("archived", "direct", "site")}, BROKEN)
    for gateway, section in itertools.product(("REST", "WebSocket"), few):
        found = differences(few[section], broken[gateway][section])
        assert "member.ban as member: 403 is right, ok was the answer" in found, gateway
