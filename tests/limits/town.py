"""A server with people, who ask by both doors at once: what is told must be the same."""

import itertools
import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.authorisation.rest_client import RestClient
from tests.authorisation.world import route_of
from tests.support.client import Connection, Frame, RefusedError
from tests.support.server import Account, Server

PEOPLE = tuple(f"p{number:03}" for number in range(1, 103))
"""The first one asks."""
BY_QUERY = ("GET", "DELETE")
numbers = itertools.count(1)


class Town:
    """One who asks, over WebSocket and over REST; everybody else is there to be named."""

    def __init__(self, server: Server, people: dict[str, Account], line: Connection) -> None:
        self.server = server
        self.people = [people[name] for name in PEOPLE]
        self.owner = people["owner"]
        self.line = line
        self.asker = RestClient(server.port, self.people[0].token)

    def ids(self, count: int) -> list[int]:
        """So many others."""
        return [person.id for person in self.people[1 : count + 1]]

    async def do(self, kind: str, /, **fields: Any) -> Frame:
        return await self.line.command(kind, **fields)

    async def room(self, others: int = 1, **fields: Any) -> int:
        """A private room with others in it."""
        asked = {"kind": "private", "name": f"Room {next(numbers)}", "members": self.ids(others), **fields}
        made: int = (await self.do("room.create", **asked))["room"]["id"]
        return made

    async def say(self, room: int, count: int = 1, body: str = "said") -> list[int]:
        """The seqs of so many messages, which are sent at once."""
        asked = [await self.line.post("message.send", room=room, key=self.key(), body=body) for _ in range(count)]
        return [(await each)["ok"]["seq"] for each in asked]

    def key(self) -> str:
        return f"key {next(numbers)}"

    async def told(self, kind: str, /, **fields: Any) -> str:
        """`ok` or the code of the refusal: by each door, and the same. A `key` of None is a fresh one by each."""
        answers = {await self._by_wire(kind, self._fresh(fields)), await self._by_rest(kind, self._fresh(fields))}
        assert len(answers) == 1, f"{kind}: {answers}"
        return answers.pop()

    async def asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        """The same for what there is over REST only."""
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
        if kind == "presence.watch":  # a question, over REST
            return await self.asked("GET", "/api/presence?" + urlencode({"user": fields["users"]}, doseq=True))
        method, path = route_of(kind)
        rest = {name: value for name, value in fields.items() if f"{{{name}}}" not in path}
        where = path.format(**{name: quote(str(value), safe="") for name, value in fields.items()})
        if method in BY_QUERY:
            return await self.asked(method, f"{where}?{urlencode(rest)}" if rest else where)
        return await self.asked(method, where, rest)
