"""A real journal on a real database for a test without an event loop.

It also returns what each user sees.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from hubbub.clock import Clock
from hubbub.domain.commands import Command, CreateAccount, EventsSince, MessagePage
from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.journal import Journal
from hubbub.features import members, messages, pins, sync
from hubbub.protocol import wire
from hubbub.storage import migrate, rooms
from hubbub.storage.database import Database
from tests.conversation.client_state import ClientState, Json
from tests.conversation.sample_data import NAMES, STAFF

ALL = 200


class Store:
    """Open a copy of a prepared database; call `close` in the end."""

    def __init__(self, template: Path, folder: Path) -> None:
        shutil.copy(template, folder / "hubbub.db")
        self._runner = asyncio.Runner()
        self._database = Database(f"sqlite:///{folder / 'hubbub.db'}")
        self._entries: list[Entry] = []
        self._journal = Journal(self._database, Clock(), self._entries.extend)
        self._runner.run(self._start())
        self.actors = {name: self._actor(name) for name in NAMES}

    async def _start(self) -> None:
        self._journal.start()

    def _actor(self, name: str) -> Actor:
        found = self._database.read(lambda connection: list(connection.exec_driver_sql(PEOPLE, (name,))))
        return Actor(found[0][0], name, Role(found[0][1]), session=f"session of {name}")

    def close(self) -> None:
        self._runner.run(self._journal.stop())
        self._runner.close()
        self._database.close()

    def do(self, actor: str, command: Command) -> tuple[str, Json]:
        """Execute a command; return "ok" or the error code, and the answer."""
        try:
            answer = self._runner.run(self._journal.submit(command, self.actors[actor])).answer
            return "ok", orjson.loads(wire.dumps(answer))
        except HubbubError as refusal:
            return refusal.code, {}

    def published(self) -> Iterator[Json]:
        """Yield events published since the last call, in commit order."""
        entries, self._entries[:] = list(self._entries), []
        for entry in entries:
            yield orjson.loads(entry.text)

    # --- views -------------------------------------------------------------------------------------------------------

    def rooms(self, actor: str) -> dict[int, Json]:
        return self._snapshot(actor, {})[0]

    def status(self, actor: str) -> Json:
        return self._snapshot(actor, {})[1]

    def view(self, actor: str, room: int) -> Json:
        """Return everything a member sees of a room, as `ClientState.open_room` takes it."""
        user = self.actors[actor].id

        def look(connection: Any) -> Json:
            found: dict[int, Json] = {}
            after = 0
            while page := listed(
                messages.page(connection, user, MessagePage(room=room, after=after, limit=ALL)), "messages"
            ):
                found |= {message["seq"]: message for message in page}
                after = max(found)
            people = listed(members.listing(connection, self.actors[actor], room, 0, ALL), "members")
            pinned = listed(pins.listing(connection, user, room, None, ALL), "pins")
            joined = next(each for each in rooms.joined(connection, user) if each.id == room)
            return {
                "room": joined.model_dump(exclude_none=True, mode="json"),
                "messages": found,
                "members": {each["id"]: {"name": each["name"], "role": each["role"]} for each in people},
                "pins": {pin["message"]["seq"]: pin["by"] for pin in pinned},
            }

        seen: Json = plain(self._database.read(look))
        return seen

    def message(self, actor: str, room: int, seq: int) -> Json | None:
        try:
            found = self._database.read(messages.one, self.actors[actor].id, room, seq)
        except NotFound:
            return None
        message: Json = plain(found["message"])
        return message

    def connect(self, actor: str, state: ClientState) -> None:
        """Connect with the client's positions, and bring it up to date."""
        rooms, status, heads, missing = self._snapshot(actor, state.positions)
        behind = {one.topic: state.positions[one.topic] for one in missing if one.page is not None}
        fresh = {one.topic for one in missing if one.page is None} | (set(heads) - set(state.positions))
        state.process_welcome(rooms, status, heads, fresh)
        for topic, after in behind.items():
            if topic.startswith("room:"):
                for event in self._since(actor, topic, after, heads[topic]):
                    state.catch_up(event)

    def _snapshot(self, actor: str, have: dict[str, int]) -> tuple[dict[int, Json], Json, dict[str, int], Any]:
        user = self.actors[actor].id
        now = Clock().now()
        found = self._database.read(sync.snapshot, user, site=True, epoch=None, have=have, now=now)
        rooms = {room.id: plain(room.model_dump(exclude_none=True, mode="json")) for room in found.rooms}
        return rooms, found.status.model_dump(exclude_none=True), dict(found.heads), found.missing

    def _since(self, actor: str, topic: str, after: int, head: int) -> Iterator[Json]:
        while after < head:
            query = EventsSince(topic=topic, after=after, limit=3)
            page = plain(self._database.read(sync.events_since, self.actors[actor].id, True, query))
            for event in page["events"]:
                yield event
                after = event["seq"]


PEOPLE = "SELECT id, role FROM users WHERE name = ?"


def prepare(folder: Path) -> Path:
    """Create a database with the users; it is made once and copied often."""
    database = Database(f"sqlite:///{folder / 'template.db'}")
    migrate.upgrade(database, epoch="first", now=Clock().now())

    async def fill() -> None:
        journal = Journal(database, Clock(), lambda _: None)
        journal.start()
        for name in NAMES:
            role = Role.OWNER if name == STAFF else Role.MEMBER
            await journal.submit(CreateAccount(username=name, password_hash="-", role=role), SYSTEM)
        await journal.stop()

    with asyncio.Runner() as runner:
        runner.run(fill())
    database.close()
    return folder / "template.db"


def listed(answer: dict[str, object], name: str) -> list[Json]:
    """Return the items of a page."""
    things = answer[name]
    assert isinstance(things, list)
    return things


def plain(value: Any) -> Any:
    """Return the value as it goes over the wire."""
    return (
        orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
        if not isinstance(value, dict)
        else {
            key: orjson.loads(orjson.dumps(inner, option=orjson.OPT_NON_STR_KEYS)) if not _numbered(inner) else inner
            for key, inner in value.items()
        }
    )


def _numbered(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(key, int) for key in value)
