"""A server with users that asks over WebSocket and REST at once.

Both must answer the same.
"""

import itertools
import json
from typing import Any
from urllib.parse import urlencode

from tests.authorisation.rest_client import RestClient
from tests.support.client import Connection, Frame, RefusedError
from tests.support.routes import operation_of, request_of
from tests.support.server import Account, Server

PEOPLE = tuple(f"p{number:03}" for number in range(1, 103))
"""The first user makes the requests."""
numbers = itertools.count(1)


class World:
    """A user who asks over WebSocket and REST, and others to be named in commands."""

    def __init__(self, server: Server, people: dict[str, Account], connection: Connection) -> None:
        self.server = server
        self.people = [people[name] for name in PEOPLE]
        self.owner = people["owner"]
        self.connection = connection
        self.asker = RestClient(server.port, self.people[0].token)

    def ids(self, count: int) -> list[int]:
        """Return the ids of `count` other users."""
        return [person.id for person in self.people[1 : count + 1]]

    async def do(self, kind: str, /, **fields: Any) -> Frame:
        return await self.connection.command(kind, **fields)

    async def room(self, others: int = 1, **fields: Any) -> int:
        """Create a private room with other members and return its id."""
        asked = {"kind": "private", "name": f"Room {next(numbers)}", "members": self.ids(others), **fields}
        made: int = (await self.do("room.create", **asked))["room"]["id"]
        return made

    async def say(self, room: int, count: int = 1, body: str = "said") -> list[int]:
        """Send `count` messages at once and return their seqs."""
        asked = [await self.connection.post("message.send", room=room, key=self.key(), body=body) for _ in range(count)]
        return [(await each)["ok"]["seq"] for each in asked]

    def key(self) -> str:
        return f"key {next(numbers)}"

    async def told(self, kind: str, /, **fields: Any) -> str:
        """Return `ok` or the error code, which must be the same over both interfaces.

        A `key` of None becomes a new key for each.
        """
        answers = {await self._by_wire(kind, self._fresh(fields)), await self._by_rest(kind, self._fresh(fields))}
        assert len(answers) == 1, f"{kind}: {answers}"
        return answers.pop()

    async def asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        """Return `ok` or the error code of a request that exists over REST only."""
        status, answer = await self.asker.ask(method, path, body)
        return "ok" if status < 400 else str(json.loads(answer)["error"]["code"])

    async def get(self, path: str) -> Any:
        status, answer = await self.asker.ask("GET", path, None)
        assert status == 200, answer
        return json.loads(answer)

    def _fresh(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: self.key() if name == "key" and value is None else value for name, value in fields.items()}

    async def _by_wire(self, kind: str, fields: dict[str, Any]) -> str:
        try:
            await self.do(kind, **fields)
        except RefusedError as refused:
            return refused.code
        return "ok"

    async def _by_rest(self, kind: str, fields: dict[str, Any]) -> str:
        if kind == "presence.watch":  # This is a query over REST.
            return await self.asked("GET", "/api/presence?" + urlencode({"user": fields["users"]}, doseq=True))
        operation = operation_of(kind)
        assert operation is not None, f"{kind} has no route"
        method, address, body, _ = request_of(operation, fields)
        return await self.asked(method, address, body)
