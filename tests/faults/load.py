"""Rooms for fault tests: one under load with a checker, and a quiet one."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.support.checker import History, Stored, same_history, violations
from tests.support.client import Connection, Frame
from tests.support.follower import Follower
from tests.support.product import OwnFollower, OwnWriter
from tests.support.server import Account, Server
from tests.support.waiting import eventually
from tests.support.writer import Writer


@dataclass
class Crowd:
    """Writers in one room, and followers who reconnect with their positions."""

    server: Server
    room: int
    topic: str
    owner: Account
    history: History
    writers: list[Writer]
    followers: list[Follower | OwnFollower]
    working: list[asyncio.Task[None]] = field(default_factory=list)
    stopping: bool = False

    def start_writing(self) -> None:
        """Start all writers.

        Every second writer never retries an interrupted message, so its outcome stays unknown; the
        others retry.
        """
        for number, writer in enumerate(self.writers):
            self.working.append(asyncio.create_task(self._write(writer, once=number % 2 == 0)))

    async def _write(self, writer: Writer, once: bool) -> None:
        while not self.stopping:
            await writer.send(self.room, once)

    async def stop_writing(self) -> None:
        """Let every writer finish its message, so that nothing is under way afterwards."""
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.working), 20)
        self.working.clear()

    async def caught_up(self, within: float = 20.0) -> None:
        """Wait until every follower has everything that is stored."""

        def behind() -> list[str]:
            head = Stored.read(self.server.database_url).log[self.topic][-1]
            positions = [follower.positions().get(self.topic, 0) for follower in self.followers]
            return [] if all(position >= head for position in positions) else [f"head {head}, {positions}"]

        await eventually(lambda: not behind(), within, f"all followers reach the head: {behind()}", every=0.1)

    def verdict(self) -> list[str]:
        """Return every violation that the checker finds in this run."""
        for number, follower in enumerate(self.followers):
            seen = {self.topic: follower.events(self.topic)}
            self.history.observe(f"follower {number}", seen, follower.resets)
        return violations(self.history, Stored.read(self.server.database_url))

    def convergence(self) -> list[str]:
        """Return violations of I9, read from the running server."""
        messages = self.owner.history(self.room)
        return [
            sentence for follower in self.followers for sentence in same_history(follower.events(self.topic), messages)
        ]


@contextlib.asynccontextmanager
async def crowd(server: Server, writers: int = 4, followers: int = 8, own: bool = False) -> AsyncIterator[Crowd]:
    """A new room with followers, and with writers that have not started.

    With `own`, every second follower is the product's own client.
    """
    accounts = [server.sign_up("writer") for _ in range(writers)]
    owner = accounts[0]
    room = owner.create_room(f"room {random.getrandbits(40):x}")
    for account in accounts[1:]:
        account.join(room)
    history = History()
    made = Crowd(server, room, f"room:{room}", owner, history, [], [])
    kinds = (Writer, OwnWriter if own else Writer)
    made.writers = [kinds[number % 2](account, history) for number, account in enumerate(accounts)]
    try:
        for writer in made.writers:
            if isinstance(writer, OwnWriter):
                await writer.start()
        for number in range(followers):
            account = accounts[number % writers]
            follower = OwnFollower(account) if own and number % 2 else Follower(server.websocket_url, account.token)
            made.followers.append(await follower.start())
        yield made
    finally:
        made.stopping = True
        for task in made.working:
            task.cancel()
        await asyncio.gather(*made.working, return_exceptions=True)
        for follower in made.followers:
            await follower.stop()
        for writer in made.writers:
            await writer.close()


class FilledRoom:
    """A room with `count` messages, and its creator."""

    def __init__(self, server: Server, count: int) -> None:
        self.server = server
        self.creator = server.sign_up("creator")
        self.room = self.creator.create_room(f"room {random.getrandbits(40):x}")
        self.topic = f"room:{self.room}"
        self.count = count
        self.sent = 0

    async def filled(self) -> "FilledRoom":
        await self.say(self.count)
        return self

    async def say(self, count: int) -> None:
        """Send `count` more messages."""
        async with await Connection.open(self.server.websocket_url, self.creator.token) as connection:
            posts = []
            for _ in range(count):
                self.sent += 1
                fields = {"room": self.room, "key": f"k{self.sent}", "body": f"message {self.sent}"}
                posts.append(await connection.post("message.send", **fields))
            for reply in await asyncio.gather(*posts):
                assert "ok" in reply, reply

    @property
    def head(self) -> int:
        """Return the room's head.

        `room.created` and the creator's `member.joined` come first, so the creator's own floor is
        1.
        """
        return 2 + self.sent

    async def hello(self, have: dict[str, int] | None, epoch: str | None = None) -> Connection:
        """Return a connection of the creator with that position, after the greeting."""
        connection = await Connection.open(self.server.websocket_url, self.creator.token, have, epoch)
        await connection.ping()
        return connection

    def of_topic(self, connection: Connection) -> list[Frame]:
        return [frame for frame in connection.frames if frame.get("topic") == self.topic]
