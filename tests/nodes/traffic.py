"""Traffic on every node of a site, seen by observers on every node.

Writers send and react, visitors join and are removed, the creator reads; observers keep their
positions over connections. `Traffic.end` compares all of it with the database and with fresh
snapshots of every node: I1 to I6, I8 and I9, and no reset (I7: nothing is trimmed here).
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from tests.nodes.conftest import Site
from tests.support import depth
from tests.support.checker import Frame, History, Send, Stored, holes, leaks, violations
from tests.support.client import OPENING_ERRORS, ClosedError, Connection, RefusedError
from tests.support.convergence import RoomState
from tests.support.follower import Follower
from tests.support.server import Account
from tests.support.waiting import eventually
from tests.support.writer import Writer

LANES = 3
PAUSE = 0.0 if depth.PROVING else 0.02
"""Seconds between two messages of a lane."""
DEADLINE = 60.0
EMOJI = "👍"
UNAVAILABLE = (*OPENING_ERRORS, ClosedError, RefusedError, httpx.HTTPError)
SAMPLE = 0.05


@dataclass
class Visitor:
    """A member of the first room who is removed and joins again, connected to one node."""

    account: Account
    url: str
    received: list[Frame] = field(default_factory=list)
    whole: bool = True
    """Whether one connection has lasted: then no message is missing before another one."""

    def take(self, frame: Frame) -> None:
        self.received.append(frame)

    async def connect(self, stop: asyncio.Event) -> Connection | None:
        """Return a connection; retry until there is one, or `stop`."""
        while not stop.is_set():
            with contextlib.suppress(*OPENING_ERRORS, ClosedError):
                return await Connection.open(self.url, self.account.token, on_event=self.take)
            await asyncio.sleep(SAMPLE)
        return None

    def events(self, topic: str) -> list[Frame]:
        return [frame for frame in self.received if frame.get("topic") == topic and "seq" in frame]


class Traffic:
    """All clients write to and follow `rooms[0]`; only the clients of node n write to `rooms[1 + n]`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.history = History()
        self.stop = asyncio.Event()
        self.lags: list[tuple[float, list[float]]] = []
        """Samples: a time, and for each observer for how long it lacks an acknowledged message."""
        self.visits = 0
        self.reactions = 0
        self._open: list[Connection] = []

    async def start(self) -> "Traffic":
        nodes = self.site.nodes
        self.creator = await asyncio.to_thread(nodes[0].sign_up, "creator")
        names = (f"room {random.getrandbits(40):x}" for _ in range(1 + len(nodes)))
        self.rooms = [await asyncio.to_thread(self.creator.create_room, name) for name in names]
        self.states = {room: await asyncio.to_thread(RoomState.load, self.creator, room) for room in self.rooms}
        self.followers = []
        self.writers = []
        self.visitors = []
        for node in nodes:
            self.followers.append(await Follower(node.websocket_url, self.creator.token).start(DEADLINE))
        for number, node in enumerate(nodes):
            account = await asyncio.to_thread(node.sign_up, "writer")
            for room in (self.rooms[0], self.rooms[1 + number]):
                await asyncio.to_thread(account.join, room)
            self.writers.append(Writer(account, self.history))
            visitor = await asyncio.to_thread(node.sign_up, "visitor")
            self.visitors.append(Visitor(visitor, node.websocket_url))
        lanes: list[Awaitable[None]] = [self._write(number) for number in range(len(nodes)) for _ in range(LANES)]
        lanes += [self._react(writer) for writer in self.writers]
        lanes += [self._visit(visitor) for visitor in self.visitors]
        lanes += [self._look(), self._read(), self._sample()]
        self.lanes = [asyncio.ensure_future(lane) for lane in lanes]
        return self

    # --- what goes on ------------------------------------------------------------------------------------------------

    async def _write(self, number: int) -> None:
        while not self.stop.is_set():
            for room in (self.rooms[0], self.rooms[1 + number]):
                await self.writers[number].send(room)
                await asyncio.sleep(PAUSE)

    async def _react(self, writer: Writer) -> None:
        """React to messages of all nodes, and take every second reaction back."""
        while not self.stop.is_set():
            send = self._some_acked(self.rooms[0])
            if send is not None:
                with contextlib.suppress(*UNAVAILABLE):
                    connection = await writer.connection()
                    where = {"room": send.room, "message": send.seqs[0]}
                    await connection.command("reaction.add", DEADLINE, **where, emoji=EMOJI)
                    self.reactions += 1
                    if self.reactions % 2:
                        await connection.command("reaction.remove", DEADLINE, **where, emoji=EMOJI)
            await asyncio.sleep(SAMPLE)

    async def _visit(self, visitor: Visitor) -> None:
        """Join on the visitor's node, and be removed on another one."""
        room, node = self.rooms[0], 0
        connection = await visitor.connect(self.stop)
        while connection is not None and not self.stop.is_set():
            if not connection.is_open:
                visitor.whole = False
                connection = await visitor.connect(self.stop)
                continue
            with contextlib.suppress(*UNAVAILABLE):
                await connection.command("room.join", room=room)
                await asyncio.sleep(SAMPLE)
                node = (node + 1) % len(self.site.nodes)
                owner = self.site.there(self.creator, node)
                path = f"/api/rooms/{room}/members/{visitor.account.id}"
                answer = await asyncio.to_thread(owner.request, "DELETE", path)
                self.visits += answer.status_code == httpx.codes.OK
            await asyncio.sleep(SAMPLE)
        if connection is not None:
            self._open.append(connection)

    async def _look(self) -> None:
        """Look for an acknowledged message in the history of each node in turn (I4)."""
        number = 0
        while not self.stop.is_set():
            send = self.history.acked[-1] if self.history.acked else None
            if send is not None:
                number = (number + 1) % len(self.site.nodes)
                reader = self.site.there(self.creator, number)
                path = f"/api/rooms/{send.room}/messages"
                with contextlib.suppress(httpx.HTTPError):
                    parameters = {"after": send.seqs[0] - 1, "limit": 1}
                    answer = await asyncio.to_thread(reader.request, "GET", path, params=parameters)
                    if answer.status_code == httpx.codes.OK:
                        found = [message["key"] for message in answer.json()["messages"]] == [send.key]
                        self.history.read(send, f"node {number}", found)
            await asyncio.sleep(SAMPLE)

    async def _read(self) -> None:
        """Move the creator's read position, on each node in turn."""
        number = 0
        while not self.stop.is_set():
            send = self._some_acked(self.rooms[0])
            if send is not None:
                number = (number + 1) % len(self.site.nodes)
                reader = self.site.there(self.creator, number)
                with contextlib.suppress(httpx.HTTPError):
                    body = {"seq": send.seqs[0]}
                    await asyncio.to_thread(reader.request, "POST", f"/api/rooms/{send.room}/read", json=body)
            await asyncio.sleep(SAMPLE)

    def _some_acked(self, room: int) -> Send | None:
        recent = [send for send in self.history.acked[-30:] if send.room == room]
        return random.choice(recent) if recent else None

    async def _sample(self) -> None:
        """Measure how long observers lack what was acknowledged."""
        lacking: list[list[Send]] = [[] for _ in self.followers]
        unacked: list[Send] = []
        seen = 0
        while not self.stop.is_set():
            now, sends = time.monotonic(), self.history.sends
            recent, seen = [*unacked, *sends[seen:]], len(sends)
            unacked = [send for send in recent if not send.seqs]
            acked = [send for send in recent if send.seqs]
            lags = []
            for number, follower in enumerate(self.followers):
                positions = follower.positions()
                lacking[number] = [
                    send for send in (*lacking[number], *acked) if positions.get(f"room:{send.room}", 0) < send.seqs[0]
                ]
                lags.append(max((now - (send.acked_at or now) for send in lacking[number]), default=0.0))
            self.lags.append((now, lags))
            await asyncio.sleep(SAMPLE)

    def move(self, node: int, to: int) -> None:
        """Let the clients of one node connect to another one from now on."""
        there, here = self.site.nodes[to].websocket_url, self.site.nodes[node].websocket_url
        clients: list[Follower | Writer | Visitor] = [*self.followers, *self.writers, *self.visitors]
        for client in clients:
            if client.url == here:
                client.url = there

    # --- waiting and the verdict -------------------------------------------------------------------------------------

    def lag(self, observer: int, since: float, until: float) -> float:
        """Return the longest time in seconds for which an observer lacked something in a period."""
        return max((lags[observer] for at, lags in self.lags if since <= at <= until), default=0.0)

    async def sent(self, count: int, by: int | None = None) -> None:
        """Wait until so many more messages were acknowledged, in all or to the writer of one node."""
        author = None if by is None else self.writers[by].account.id
        counted: Callable[[], int] = lambda: sum(  # noqa: E731
            1 for send in self.history.acked if author is None or send.author == author
        )
        goal = counted() + count
        await eventually(lambda: counted() >= goal, DEADLINE, f"{count} more messages are sent")

    async def caught_up(self, within: float) -> list[str]:
        """Wait until each observer has what is stored now; return what was missing at the end."""
        stored = await asyncio.to_thread(Stored.read, self.site.url)
        heads = {f"room:{room}": stored.log[f"room:{room}"][-1] for room in self.rooms}

        def behind() -> list[str]:
            return [
                f"the observer of node {number} is at {position} of {head} in {topic}"
                for number, follower in enumerate(self.followers)
                for topic, head in heads.items()
                if (position := follower.positions().get(topic, 0)) < head
            ]

        with contextlib.suppress(AssertionError):
            await eventually(lambda: not behind(), within, "all observers have everything")
        return behind()

    async def quiet(self) -> None:
        """Stop writing; nothing is under way afterwards."""
        self.stop.set()
        await asyncio.wait_for(asyncio.gather(*self.lanes), DEADLINE)

    async def end(self) -> list[str]:
        """Stop writing, wait until every observer has everything, and return what was wrong."""
        await self.quiet()
        found = await self.caught_up(DEADLINE / 2)
        for number, follower in enumerate(self.followers):
            events = {f"room:{room}": follower.events(f"room:{room}") for room in self.rooms}
            self.history.observe(f"node {number}", events, follower.resets)
        found += violations(self.history, await asyncio.to_thread(Stored.read, self.site.url))
        found += await self._unequal()
        found += await asyncio.to_thread(self._leaked)
        await self.leave()
        return found

    async def _unequal(self) -> list[str]:
        """I9: what each observer knows is what each node answers."""
        user = f"user:{self.creator.id}"
        nodes = [number for number, node in enumerate(self.site.nodes) if node.process is not None]
        fresh = {
            (number, room): await asyncio.to_thread(RoomState.load, self.site.there(self.creator, number), room)
            for number in nodes
            for room in self.rooms
        }
        found = []
        for number, follower in enumerate(self.followers):
            for room in self.rooms:
                known = self.states[room].copy()
                own = [event for event in follower.events(user) if event.get("room") == room]
                known.apply(follower.events(f"room:{room}"), own)
                for node in nodes:
                    where = f"observer {number}, room {room}, node {node}"
                    found += known.differences(fresh[node, room], where)
        return found

    def _leaked(self) -> list[str]:
        topic = f"room:{self.rooms[0]}"
        log = self.creator.log(topic)
        found = []
        for visitor in self.visitors:
            received = visitor.events(topic)
            found += leaks(log, visitor.account.id, received)
            if visitor.whole:
                found += holes(log, visitor.account.id, received)
        return found

    async def leave(self) -> None:
        self.stop.set()
        await asyncio.gather(*self.lanes, return_exceptions=True)
        await asyncio.gather(*(writer.close() for writer in self.writers))
        await asyncio.gather(*(follower.stop() for follower in self.followers))
        for connection in self._open:
            await connection.abort()
