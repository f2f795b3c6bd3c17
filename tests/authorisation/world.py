"""The users and rooms of the matrix.

They are real users, rooms and messages on a running server.
"""

import asyncio
import itertools
import json
import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from hubbub.clock import Clock
from hubbub.domain.commands import OpenSession
from hubbub.domain.commands.examples import Fields
from hubbub.domain.model import ANYBODY, LOBBY, Role
from hubbub.protocol import close_codes
from hubbub.protocol.tokens import Tokens
from tests.authorisation.rest_client import RestClient
from tests.engine.conftest import store_at
from tests.support.client import Connection, Frame, RefusedError, raw_connect
from tests.support.routes import WEBHOOK, request_of
from tests.support.server import Account, Server

ROLES = {"admin": "admin", "owner": "owner"}
"""Roles on the site; all other users are plain members of it."""
PEOPLE = (
    "outsider", "ex-member", "banned", "guest", "member", "author", "moderator", "room-owner", "admin", "owner",
    "bystander", "deputy", "candidate",
)  # fmt: skip
"""The columns, and three users that commands act on.

Those three are a member, a second moderator, and a user in no room.
"""
INSIDE = ("member", "author", "moderator", "bystander", "deputy")
STATUS = {
    "bad_request": 400, "unauthenticated": 401, "forbidden": 403, "not_found": 404, "conflict": 409,
}  # fmt: skip
HOUR = 3_600_000
PATIENCE = 3
"""How often to repeat a request to a busy server."""


@dataclass
class Room:
    """A room, a message of the author, a message that may be deleted, an invite and a webhook."""

    id: int
    message: int = 0
    spare: int = 0
    link: dict[str, Any] = field(default_factory=dict)
    webhook: int = 1
    """1 if there is none: no webhook has this id."""


async def create_users(server: Server, names: Iterable[str] = PEOPLE) -> dict[str, Account]:
    """Create logged-in users in the data folder of a server that does not run yet.

    No password is hashed.
    """
    server.data.mkdir()
    key = secrets.token_bytes(32)
    (server.data / "secret.key").write_bytes(key)
    people: dict[str, Account] = {}
    async with store_at(server.database_url) as store:

        async def enter(name: str) -> None:
            actor = await store.person(name, Role(ROLES.get(name, "member")))
            session = OpenSession(
                user=actor.id, session=f"session-of-{name}", browser=False, token_hash=None, client="", idle=HOUR,
                longest=HOUR, seen_hash="-",
            )  # fmt: skip
            await store.journal.submit(session, ANYBODY)
            token = Tokens(key).access(actor.id, session.session, Clock().now(), HOUR // 1_000)
            people[name] = Account(server, actor.id, name, token, "")

        waiting = list(names)
        while waiting:  # a few short commits
            now, waiting = waiting[:8], waiting[8:]
            await asyncio.gather(*map(enter, now))
    return people


class World:
    """Users with a bearer token and a WebSocket each, in their rooms on a server."""

    def __init__(self, server: Server, people: dict[str, Account]) -> None:
        self.server = server
        self.people = people
        self.connections: dict[str, Connection] = {}
        self.rooms: dict[str, Room] = {}
        self.said = 0
        self.rest = {name: RestClient(server.port, account.token) for name, account in people.items()}
        self.rest["anonymous"] = RestClient(server.port, None)
        self._numbers = itertools.count(1)

    async def begin(self) -> None:
        self._make_guest()
        for name, account in self.people.items():
            self.connections[name] = await Connection.open(
                self.server.websocket_url, account.token, on_event=lambda _: None
            )
        for name, kind in (("public", "public"), ("private", "private"), ("archived", "public")):
            made = await self.do("room-owner", "room.create", kind=kind, name=f"The {name} room")
            self.rooms[name] = Room(made["room"]["id"])
            await self._set_up(self.rooms[name])
        others = [self.people[name].id for name in INSIDE]
        made = await self.do("room-owner", "room.create", kind="direct", members=others)
        self.rooms["direct"] = Room(made["room"]["id"])
        self.said = (await self.do("author", "message.send", room=LOBBY, key="lobby", body="sent in the lobby"))["seq"]
        for room in self.rooms.values():
            room.message, room.spare = await self.say(room.id), await self.say(room.id)
        await self.do("room-owner", "room.archive", room=self.rooms["archived"].id)

    async def end(self) -> None:
        for connection in self.connections.values():
            await connection.close()
        for client in self.rest.values():
            client.close()

    def id(self, name: str) -> int:
        return self.people[name].id

    def given(self, room: Room) -> Fields:
        """Return the values of an example about the room; about the lobby in the site's section."""
        message = room.message or self.said
        return {
            "room": room.id or LOBBY, "message": message, "seq": message,
            "member": self.id("bystander"), "name": "bystander", "outsider": self.id("candidate"),
            "invite": room.link.get("id"), "token": room.link.get("token"), "webhook": room.webhook,
            "new": f"-{next(self._numbers)}",
        }  # fmt: skip

    def fresh(self) -> str:
        """Return a text that was not used before."""
        return f"number {next(self._numbers)}"

    async def say(self, room: int) -> int:
        """Send a new message by the author; return its seq."""
        seq: int = (await self.do("author", "message.send", room=room, key=self.fresh(), body="said"))["seq"]
        return seq

    async def do(self, who: str, command: str, /, **fields: Any) -> Frame:
        """Execute a command that must succeed."""
        return await self.connections[who].command(command, **fields)

    async def link(self, room: int | None) -> dict[str, Any]:
        """Create an invite into the site or a room, without a limit of uses."""
        maker = self.rest["owner" if room is None else "room-owner"]
        status, answer = await maker.ask("POST", "/api/invites", {"room": room, "max_uses": None, "key": self.fresh()})
        assert status == 201, answer
        made: dict[str, Any] = json.loads(answer)
        return made

    async def hook(self, room: int | None) -> int:
        """Create a webhook of the site or a room; return its id."""
        maker = self.rest["owner" if room is None else "room-owner"]
        status, answer = await maker.ask("POST", "/api/webhooks", {"room": room, **WEBHOOK})
        assert status == 201, answer
        return int(json.loads(answer)["id"])

    # -- the two gateways

    async def over_rest(self, operation: str, name: str, fields: dict[str, Any]) -> str:
        """Send the request over REST; return `ok` or the status of the refusal."""
        method, address, body, kind = request_of(operation, fields)
        for _ in range(PATIENCE):  # the machine may be busy
            status, answer = await self.rest[name].ask(method, address, body, kind)
            if status != 503:
                break
        assert status < 500, f"{name}: {method} {address} → {status} {answer!r}"
        return "ok" if status < 400 else str(status)

    async def over_wire(self, command: str, name: str, fields: dict[str, Any]) -> str:
        """Send the command over WebSocket.

        Return `ok` or the status that REST gives for the refusal. An anonymous caller sends no
        `hello`.
        """
        if name not in self.connections:
            return await self._before_hello({"id": 1, "type": command, **fields})
        for _ in range(PATIENCE):
            try:
                await self.do(name, command, **fields)
            except RefusedError as refused:
                if refused.code not in ("busy", "unavailable"):
                    return str(STATUS[refused.code])
            else:
                return "ok"
        raise AssertionError(f"{name}: {command} got no answer")

    async def _before_hello(self, frame: Frame) -> str:
        async with await raw_connect(self.server.websocket_url) as socket:
            await socket.send(json.dumps(frame))
            await socket.wait_closed()
        assert socket.close_code == close_codes.NOT_AUTHENTICATED
        return str(STATUS["unauthenticated"])

    # -- setup

    def _make_guest(self) -> None:
        """Turn a user with a session into a guest.

        Guests of the plain-text gateway have no session to log in with.
        """
        with closing(sqlite3.connect(self.server.database, timeout=30)) as database, database:
            database.execute("UPDATE users SET role = 'guest' WHERE id = ?", (self.id("guest"),))

    async def _set_up(self, room: Room) -> None:
        for name in (*INSIDE, "ex-member"):
            await self.do("room-owner", "member.add", room=room.id, user=self.id(name))
        for name in ("moderator", "deputy"):
            await self.do("room-owner", "member.set_role", room=room.id, user=self.id(name), role="moderator")
        await self.do("ex-member", "room.leave", room=room.id)
        await self.do("room-owner", "member.ban", room=room.id, user=self.id("banned"))
        room.link = await self.link(room.id)
        room.webhook = await self.hook(room.id)
