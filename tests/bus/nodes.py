"""Nodes in this process: a journal, a fan-out and a bus each, on one PostgreSQL."""

import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from hubbub.bus.messages import Codec
from hubbub.bus.remote import RemoteBus
from hubbub.clock import Clock
from hubbub.delivery.fanout import Fanout
from hubbub.domain.commands import CreateAccount, SendMessage
from hubbub.domain.errors import Unavailable
from hubbub.domain.events import Entry
from hubbub.domain.model import LOBBY, SYSTEM, Actor, Role, room_topic
from hubbub.engine.journal import Journal
from hubbub.engine.live_connections import ConnectionHub, LiveConnection
from hubbub.engine.services import Readers
from hubbub.features.sessions import AuthenticatedUser
from hubbub.storage import log
from hubbub.storage.database import Database
from tests.manager.listener import Listener
from tests.support.waiting import eventually

TOPIC = room_topic(LOBBY)
SECRET = b"the signing key of this site ..."
DEADLINE = 60.0
MakeBus = Callable[[Codec], RemoteBus]


@dataclass
class Node:
    """A node: what it passed on, and what its connections got."""

    hub: ConnectionHub
    bus: RemoteBus
    journal: Journal
    fanout: Fanout
    read: Readers
    passed: list[Entry] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        check = self.hub.check

        def noting(topics: Collection[str] | None) -> None:
            self.checked.update(topics or ())
            check(topics)

        self.hub.check = noting  # type: ignore[method-assign]

    async def listen(self, topic: str = TOPIC) -> Listener:
        """Return a connection that follows the topic from its head, as a greeted one does."""
        found = await self.read(log.position, topic)
        assert found is not None
        listener = Listener()
        self.fanout.add(listener)
        self.join(listener, topic, found[0])
        # Each topic that is joined is compared once: what a test loses on purpose must come later.
        await eventually(
            lambda: topic in self.checked and self.hub._ordered._checking is None, DEADLINE, "the topic was compared"
        )
        return listener

    def connect(self, actor: Actor) -> Listener:
        """Return a connection of a user, as it is after its greeting."""
        listener = Listener()
        user = AuthenticatedUser(actor.id, actor.name, actor.role, actor.session or "session")
        self.hub._register(listener, user, None).greeting = None
        return listener

    def join(self, listener: Listener, topic: str, head: int) -> None:
        user = AuthenticatedUser(1, "listener", Role.MEMBER, "session")
        self.hub._join(LiveConnection(listener, user, user.actor()), topic, head)

    def position(self, topic: str = TOPIC) -> int | None:
        return self.hub._ordered.order.last(topic)

    async def user(self, name: str) -> Actor:
        command = CreateAccount(username=name, password_hash="-", role=Role.MEMBER)
        while True:
            try:
                user = (await self.journal.submit(command, SYSTEM)).answer["user"]
            except Unavailable:
                continue
            return Actor(user.id, name, Role.MEMBER, session=f"session of {name}")

    async def send(self, actor: Actor, body: str = "hello", room: int = LOBBY) -> int:
        """Send a message and return its seq."""
        command = SendMessage(room=room, key=secrets.token_hex(8), body=body)
        while True:
            try:
                return int(str((await self.journal.submit(command, actor)).answer["seq"]))
            except Unavailable:  # PostgreSQL was too slow; the key makes the repetition safe
                continue


@asynccontextmanager
async def node(address: str, make: MakeBus, *, epoch: str = "first", secret: bytes = SECRET) -> AsyncIterator[Node]:
    database, fanout = Database(address), Fanout()
    read = Readers(database)
    bus = make(Codec(secret, secrets.token_hex(4)))
    hub = ConnectionHub(fanout, bus, read, Clock(), connections_per_user=5)
    journal = Journal(database, Clock(), hub.publish)
    bus.epoch = epoch
    made = Node(hub, bus, journal, fanout, read)
    hub.watch(made.passed.extend)
    journal.start()
    bus.start(hub)
    try:
        await eventually(lambda: bus.connected, DEADLINE, "the bus is connected")
        await hub.compare()
        yield made
    finally:
        await journal.stop()
        await bus.close()
        hub.stop()
        database.close()


def seqs(listener: Listener, topic: str | None = None) -> list[int]:
    """Return the seqs of what a connection got, in one topic or in all."""
    got = [orjson.loads(text) for text in listener.got]
    return [event["seq"] for event in got if topic in (None, event["topic"])]


async def reaches(listener: Listener, seq: int, within: float = DEADLINE) -> None:
    await eventually(lambda: listener.got and seqs(listener)[-1] >= seq, within, f"the listener gets entry {seq}")
