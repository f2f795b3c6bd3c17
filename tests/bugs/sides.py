"""Two sets of the same users and rooms, and what a request changed in each.

A request on one side and the same request with extra fields on the other must leave the same rows.
"""

import itertools
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from hubbub.domain.commands.examples import Fields
from hubbub.domain.model import LOBBY
from hubbub.storage.schema import INDEX, metadata
from tests.authorisation.rest_client import RestClient
from tests.generated.contract import operations
from tests.support.client import Connection, Frame, RefusedError
from tests.support.examples import Cast, Step, prepare
from tests.support.routes import ASKED
from tests.support.server import Account, Server

NAMES = ("alice", "bob", "carol")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ONLY_WHETHER = frozenset(
    {"at", "created_at", "joined_at", "rotated_at", "last_seen_at", "expires_at", "edited_at", "deleted_at", "hash",
     "digest", "tx", "search_key", "secret", "previous_secret",
     "token_hash", "password_hash"}
)  # fmt: skip
"""Columns whose values differ for good reasons.

Only whether there is a value counts.
"""
SHARED = ("site", "security", "room:1")
"""Topics that both sides write to: positions in them say nothing."""
PLACES = frozenset(
    {"seq", "head", "n", "floor", "members", "member_count", "unread_count", "joined_seq", "read_seq", "read_n"}
)
NEW = re.compile(r"\d{12,}")
"""Ids that the server has just made."""
MADE = ("id", "token", "link", "access_token", "refresh_token", "session", "secret", "milliseconds")
"""Fields of answers with values that the server makes at random, or measures."""
Rows = Counter[tuple[object, ...]]
"""Rows as stored: the name of the table, then the values."""
Told = dict[str, list[str]]


CHANGED = "follower.changed"
"""The type of an entry that the server also writes by itself, when it has removed a follower."""
BY_ITSELF = INDEX | {"followers", "follower_positions", "dead_letters", "webhook_attempts"}
"""Tables that the server changes by itself, some time after a command."""


@dataclass
class Side:
    """alice, who sends the requests; bob, in her rooms; carol, in no room.

    `names` maps this side's values to neutral names.
    """

    server: Server
    people: dict[str, Account]
    connections: dict[str, Connection]
    rest: RestClient
    carols_rest: RestClient
    names: dict[str, str] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def enter(cls, server: Server, people: Mapping[str, Account], side: str) -> "Side":
        own = {name: people[f"{name}-{side}"] for name in NAMES}
        connections = {
            name: await Connection.open(server.websocket_url, account.token, on_event=lambda _: None)
            for name, account in own.items()
            if name != "carol"
        }
        found = cls(
            server,
            own,
            connections,
            RestClient(server.port, own["alice"].token),
            RestClient(server.port, own["carol"].token),
        )
        for name, account in [*own.items(), *((name, people[name]) for name in people.keys() & {"eve"})]:
            found.names |= {str(account.id): f"id of {name}", account.name: name}
        return found

    async def leave(self) -> None:
        for connection in self.connections.values():
            await connection.close()
        self.rest.close()
        self.carols_rest.close()

    def id(self, name: str) -> int:
        return self.people[name].id

    async def do(self, kind: str, /, who: str = "alice", **fields: Any) -> Frame:
        """Execute a command that must succeed."""
        return await self.connections[who].command(kind, **fields)

    async def prepare(self, request: str) -> Fields:
        """Prepare the example of a request of alice's. Return its fields."""
        bob = self.people["bob"]
        return await prepare(request, Cast(self.id("alice"), bob.id, self.id("carol"), bob.name, self.new), self._send)

    async def _send(self, step: Step) -> Any:
        who = {"actor": "alice", "member": "bob"}[step.by]
        if step.request in ASKED:
            made = await self.do(step.request, who, **step.fields)
            if "room" in made:
                self.known(made["room"]["id"], "ROOM")
            return made
        method, path = operations()[step.request]
        made = self.people[who].request(method, path, json=step.fields).json()
        self.known(made["id"], "INVITE")
        return made

    def new(self) -> str:
        """Return a suffix with the side's name in it, for values that must differ."""
        number = f"-{next(self.numbers)}"
        mine = f"{number}-{self.people['alice'].name}"
        self.names[mine] = number
        return mine

    def known(self, value: Any, name: str) -> Any:
        """Register the neutral name of a value that the server made."""
        self.names[str(value)] = name
        return value

    # -- sending and comparing

    async def over_wire(self, kind: str, fields: Mapping[str, Any]) -> object:
        try:
            return self.plain(await self.connections["alice"].command(kind, **fields))
        except RefusedError as refused:
            return refused.code

    async def over_rest(
        self, method: str, path: str, body: dict[str, Any] | None, who: str = "alice"
    ) -> tuple[int, object]:
        rest = self.carols_rest if who == "carol" else self.rest
        status, answer = await rest.ask(method, path, body)
        return status, self.plain(json.loads(answer) if answer.startswith(b"{") else answer.decode())

    def rows(self) -> Rows:
        """Return all rows of all tables."""
        with closing(sqlite3.connect(f"file:{self.server.database}?mode=ro", uri=True, timeout=30)) as database:
            return Counter(
                (table.name, *row)
                for table in metadata.sorted_tables
                if table.name not in BY_ITSELF
                for row in database.execute(f'SELECT {_names(table)} FROM "{table.name}"')
                if CHANGED not in row
            )

    def changes(self, before: Rows, after: Rows) -> Told:
        """Return removed and added rows, with neutral names."""
        return {
            "gone": sorted(map(self._row, (before - after).elements())),
            "come": sorted(map(self._row, (after - before).elements())),
        }

    def plain(self, value: Any) -> Any:
        """Return the value without parts that differ for good reasons."""
        if isinstance(value, dict):
            shared = value.get("topic") in SHARED or LOBBY in (value.get("room"), value.get("id"))
            return {
                self.plain(key): None if shared and key in PLACES else self.plain(each)
                for key, each in value.items()
                if key not in MADE or str(each) in self.names
            }
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self.names.get(str(value), "new" if NEW.fullmatch(str(value)) else value)
        if isinstance(value, str):
            for ours in sorted(self.names, key=len, reverse=True):
                value = value.replace(ours, self.names[ours])
            return NEW.sub("new", MOMENT.sub("THEN", value))
        return value

    def _row(self, values: tuple[object, ...]) -> str:
        table = str(values[0])
        names = [column.name for column in metadata.tables[table].columns]
        row: dict[str, Any] = dict(zip(names, values[1:], strict=True))
        for column in ONLY_WHETHER & row.keys():
            row[column] = row[column] is not None
        if table in ("log", "messages"):
            row.pop("id", None)  # of a message
        if table == "log":
            row["text"] = json.loads(row["text"])
        if table == "sessions":
            row["id"] = None
        if table == "answers":
            row["answer"] = json.loads(row["answer"])
        return f"{table} {json.dumps(self.plain(row), sort_keys=True)}"


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def column_names() -> set[str]:
    """Return the name of every column of every table."""
    return {column.name for table in metadata.sorted_tables for column in table.columns}


def documents(folder: Path) -> list[Any]:
    """Return the documents of the contract."""
    return [json.loads((folder / name).read_text()) for name in ("schema.json", "openapi.json")]
