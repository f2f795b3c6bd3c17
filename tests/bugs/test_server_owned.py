"""Clients cannot set fields that only the server sets.

Every request carries every field there is.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from hubbub.domain.commands.examples import Fields
from hubbub.domain.model import Actor, Membership
from tests.bugs.conftest import StartServer
from tests.bugs.sides import NAMES, Side, column_names, documents
from tests.generated.contract import ROOT, operations
from tests.support.routes import ABSENT, ASKED, body_of, parameters_of
from tests.support.server import Account, Server

CHANGING = sorted((name for name in operations() if operations()[name][0] != "GET"), key=lambda name: name == "log_out")
"""The last one ends carol's session."""
READING = sorted(name for name in operations() if operations()[name][0] == "GET" and name != "metrics")


@pytest.fixture(scope="module")
def server_and_users(start_server: StartServer) -> tuple[Server, dict[str, Account]]:
    return start_server("eve", *(f"{name}-{side}" for side in "abcd" for name in NAMES))


async def pair(server_and_users: tuple[Server, dict[str, Account]], letters: str) -> AsyncIterator[tuple[Side, Side]]:
    first, second = [await Side.enter(*server_and_users, letter) for letter in letters]
    yield first, second
    for side in (first, second):
        await side.leave()


@pytest.fixture
async def sides(server_and_users: tuple[Server, dict[str, Account]]) -> AsyncIterator[tuple[Side, Side]]:
    async for found in pair(server_and_users, "ab"):
        yield found


@pytest.fixture
async def unequal_sides(server_and_users: tuple[Server, dict[str, Account]]) -> AsyncIterator[tuple[Side, Side]]:
    """For requests that end differently on the two sides."""
    async for found in pair(server_and_users, "cd"):
        yield found


# --- the extra fields ------------------------------------------------------------------------------------------------


def names_in(value: Any) -> set[str]:
    """Return the names of all fields and parameters in a contract document."""
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    if not isinstance(value, dict):
        return set()
    own = set(value["properties"]) if isinstance(value.get("properties"), dict) else set()
    parameter = {value["name"]} if isinstance(value.get("name"), str) and "in" in value else set()
    return own.union(parameter, *map(names_in, value.values()))


def every_name() -> set[str]:
    """Return every field name of the contract, the tables and the server's internals."""
    inner = {*Actor.__dataclass_fields__, *Membership._fields, "here", "in_site", "system", "is_admin"}
    return set().union(*map(names_in, documents(ROOT / "contract"))) | column_names() | inner


def extra_fields(eve: Account, own: set[str]) -> Fields:
    """Return all names but a request's own, with values that do harm if accepted."""
    author = {"by": eve.id, "name": eve.name, "at": "2020-01-01T00:00:00.000Z"}
    texts = {"role": "owner", "kind": "public", "at": author["at"], "name": eve.name, "topic": f"user:{eve.id}",
             "body": "not what was said", "password_hash": "-", "session": "session-of-eve"}  # fmt: skip
    special: Fields = {
        "mentions": {"users": [eve.id], "room": True, "here": True}, "forwarded": author, "here": [eve.id],
        "reactions": [{"emoji": "👍", "count": 99, "mine": True, "by": [eve.id]}], "rooms": [{"room": 1, "seq": 1}],
        "members": [eve.id], "users": [eve.id], "people": [{"id": eve.id, "name": eve.name}], "actor": author,
        "seq": 1, "n": 99, "limit": 1, "archived": True, "deleted": True, "pinned": True, "system": True,
        "disabled": True, "joined": True, "favourite": True, "muted": True, "lobby": True, "current": True,
    }  # fmt: skip
    given = {name: special.get(name, texts.get(name, eve.id)) for name in every_name()}
    return {name: value for name, value in given.items() if name not in own}


def nested(fields: Fields, more: Fields) -> Fields:
    """Return the fields with `more` added, also in nested objects."""
    inside = {
        name: [{**more, **each} if isinstance(each, dict) else each for each in value]
        for name, value in fields.items()
        if isinstance(value, list)
    }
    return {**more, **fields, **inside}


# --- sending ---------------------------------------------------------------------------------------------------------


def own_of(kind: str) -> set[str]:
    return {*ASKED[kind].model_fields, "id", "type", "kind"}


async def by_wire(side: Side, kind: str, fields: Fields, eve: Account | None) -> object:
    return await side.over_wire(kind, nested(fields, extra_fields(eve, own_of(kind))) if eve else fields)


async def by_rest(side: Side, operation: str, fields: Fields, eve: Account | None) -> tuple[int, object]:
    """Send a request as documented, or with every extra field in body and address."""
    method, path = operations()[operation]
    parameters, body_fields = parameters_of(operation), body_of(operation)
    body = {name: value for name, value in fields.items() if name in body_fields} if body_fields else None
    query = {name: fields[name] for name in parameters & fields.keys() if f"{{{name}}}" not in path}
    if eve is not None:
        query = {**extra_fields(eve, parameters), **query}
        body = None if body is None else nested(body, extra_fields(eve, body_fields))
    where = path.format(**{name: quote(str(value), safe="") for name, value in fields.items()})
    address = f"{where}?{urlencode(query, doseq=True)}" if query else where
    return await side.over_rest(method, address, body, "carol" if operation == "log_out" else "alice")


async def difference(sides: tuple[Side, Side], request: str, ask: Any, eve: Account) -> str | None:
    """Return how a request with extra fields differed from the same request without.

    None if it did not. Answers are compared as well as rows.
    """
    clean, loaded = sides
    done = []
    for side, more in ((clean, None), (loaded, eve)):
        fields = await side.prepare(request)
        before = side.rows()
        answer = await ask(side, fields, more)
        done.append(json.dumps({"answer": answer, **side.changes(before, side.rows())}, sort_keys=True, indent=1))
    return None if done[0] == done[1] else f"{done[0]}\nis not\n{done[1]}"


# --- the tests -------------------------------------------------------------------------------------------------------


def test_requests_carry_more_than_130_names() -> None:
    assert len(every_name()) > 130


async def test_commands_ignore_fields_that_only_the_server_sets(
    server_and_users: tuple[Server, dict[str, Account]], sides: tuple[Side, Side]
) -> None:
    """A7, B13, B41: commands ignore fields besides their own.

    A7: embeds of others spoofed by metadata. B13: reads and reactions forged in others' names. B41:
    a self-assigned role. Fields in a frame besides the command's own change neither a row nor the
    answer.
    """
    eve = server_and_users[1]["eve"]
    found = {}
    for kind in ASKED:

        async def ask(side: Side, fields: Fields, more: Account | None, kind: str = kind) -> object:
            answer = await by_wire(side, kind, fields, more)
            assert isinstance(answer, dict), f"{kind}: {answer}"
            return answer

        found[kind] = await difference(sides, kind, ask, eve)
    assert [f"{kind}: {change}" for kind, change in found.items() if change is not None] == []


async def test_routes_ignore_fields_that_only_the_server_sets(
    server_and_users: tuple[Server, dict[str, Account]], sides: tuple[Side, Side]
) -> None:
    """A7, B13 and B41 over REST, in bodies and addresses, with sign-up and log-out."""
    eve = server_and_users[1]["eve"]
    found = {}
    for operation in CHANGING:

        async def ask(side: Side, fields: Fields, more: Account | None, name: str = operation) -> object:
            status, answer = await by_rest(side, name, fields, more)
            assert status < 300 or name in ABSENT, f"{name}: {status} {answer}"
            return status, answer

        found[operation] = await difference(sides, operation, ask, eve)
    assert [f"{name}: {change}" for name, change in found.items() if change is not None] == []


async def test_queries_ignore_added_parameters(
    server_and_users: tuple[Server, dict[str, Account]], unequal_sides: tuple[Side, Side]
) -> None:
    """B14: a client's filter overrode the server's and returned other rooms' messages."""
    eve, (side, _) = server_and_users[1]["eve"], unequal_sides
    found = []
    for operation in READING:
        fields = await side.prepare(operation)
        plain = await by_rest(side, operation, fields, None)
        loaded = await by_rest(side, operation, fields, eve)
        if loaded != plain and loaded[0] != 400:  # unknown parameters are refused
            found.append(operation)
    assert found == []


async def test_control_an_accepted_extra_field_is_detected(
    server_and_users: tuple[Server, dict[str, Account]], unequal_sides: tuple[Side, Side]
) -> None:
    """A field of the command's own that only one side sends shows in rows or answer."""
    for kind, more in (
        ("message.send", {"reply_to": 4}), ("room.set_preferences", {"muted": True}),
        ("message.edit", {"body": "else"}), ("events.since", {"limit": 1}),
    ):  # fmt: skip

        async def ask(side: Side, fields: Fields, eve: Account | None, kind: str = kind, more: Fields = more) -> object:
            given = {name: value for name, value in fields.items() if name not in more or name in ("body", "limit")}
            return await by_wire(side, kind, {**given, **(more if eve is not None else {})}, None)

        assert await difference(unequal_sides, kind, ask, server_and_users[1]["eve"]) is not None, kind
