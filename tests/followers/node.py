"""A node in this process: a journal on a real database, and the engine of followers."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, MetaData, NullPool, create_engine, text

from hubbub.clock import Clock
from hubbub.domain.commands import CreateAccount, CreateRoom, SendMessage
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.followers import LEASE, Followers
from hubbub.engine.journal import Journal
from hubbub.engine.services import Readers
from hubbub.storage import migrate
from hubbub.storage.database import Database

START = 1_790_000_000_000
EPOCH = "first"


@dataclass
class Node:
    """A running journal and its followers, and what tests ask of them."""

    database: Database
    journal: Journal
    read: Readers
    clock: Clock
    followers: Followers
    hints: bool = True
    watch: Callable[[Sequence[Entry]], object] = lambda entries: None
    actor: Actor = field(init=False)

    async def enrol(self, name: str = "alice") -> Actor:
        """Create the account that sends the messages."""
        made = await self.journal.submit(CreateAccount(username=name, password_hash="-", role=Role.ADMIN), SYSTEM)
        self.actor = Actor(made.answer["user"].id, name, Role.ADMIN, session="session")
        return self.actor

    async def room(self, name: str) -> int:
        return (await self.journal.submit(CreateRoom(name=name), self.actor)).answer["room"].id

    async def send(self, room: int, body: str, key: str) -> int:
        command = SendMessage(room=room, body=body, key=f"01KAN3M6R4T2{key}")
        return (await self.journal.submit(command, self.actor)).answer["seq"]

    def create(self, tables: MetaData) -> None:
        engine = create_engine(self.database.url, poolclass=NullPool)
        tables.create_all(engine)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.database.read(lambda connection: [tuple(row) for row in connection.execute(text(query))])

    @contextmanager
    def elsewhere(self) -> Iterator[Connection]:
        """Open another connection to the same database and commit at the end."""
        engine = create_engine(self.database.url, poolclass=NullPool)
        with engine.connect() as other:
            yield other
            other.commit()

    def publish(self, entries: Sequence[Entry]) -> None:
        self.watch(entries)
        if self.hints:
            self.followers.wake(entries)


@asynccontextmanager
async def node_at(
    url: str,
    clock: Clock | None = None,
    *,
    interval: float = 0.2,
    exclusive: bool | None = None,
    lease: int = LEASE,
    renewal: float = 0.1,
) -> AsyncIterator[Node]:
    """Run a node on a database that other nodes may use, too.

    It renews its lease often, so that a clock that jumps by an hour ends it for a moment only.
    """
    database, clock = Database(url), clock or Clock()
    migrate.upgrade(database, epoch=EPOCH, now=START)
    journal = Journal(database, clock, lambda entries: node.publish(entries))
    journal.start()
    read = Readers(database)
    alone = database.is_sqlite if exclusive is None else exclusive
    followers = Followers(read, journal, clock, exclusive=alone, interval=interval, lease=lease, renewal=renewal)
    node = Node(database, journal, read, clock, followers)
    followers.start()
    try:
        yield node
    finally:
        await followers.stop()
        await journal.stop()
        database.close()
