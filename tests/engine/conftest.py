"""Fixtures: a journal on a real database, in process."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from hubbub.clock import Clock
from hubbub.domain.commands import Command, CreateAccount
from hubbub.domain.errors import HubbubError, Unavailable
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.batch import Receipt
from hubbub.engine.journal import Journal
from hubbub.storage import migrate
from hubbub.storage.database import Database

START = 1_790_000_000_000
ATTEMPTS = 5


@dataclass
class Store:
    """A running journal, what it published, and ways to disturb it."""

    database: Database
    journal: Journal
    published: list[Entry] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    async def person(self, name: str, role: Role = Role.MEMBER) -> Actor:
        command = CreateAccount(username=name, password_hash="-", role=role)
        for _ in range(ATTEMPTS):  # PostgreSQL cancels a statement during which the machine stood still.
            try:
                receipt = await self.journal.submit(command, SYSTEM)
                break
            except Unavailable:
                continue
        else:
            raise AssertionError(f"{name} could not be created in {ATTEMPTS} attempts")
        user = receipt.answer["user"]
        return Actor(user.id, name, role, session=f"session of {name}")

    async def together(self, asked: Sequence[tuple[Command, Actor]]) -> list[Receipt | HubbubError]:
        """Submit commands so that all but the first share a batch.

        The database is locked while they queue up.
        """
        pending: list[asyncio.Future[Receipt]] = []
        with self.held():
            for command, actor in asked:
                pending.append(asyncio.ensure_future(self.journal.submit(command, actor)))
                await asyncio.sleep(0)
        return [await _result(future) for future in pending]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock that the journal's transactions take first."""
        with self.elsewhere() as other:
            lock = "BEGIN IMMEDIATE" if self.database.is_sqlite else "SELECT 1 FROM topics ORDER BY topic FOR UPDATE"
            other.exec_driver_sql(lock)
            yield
            other.rollback()

    @contextmanager
    def elsewhere(self) -> Iterator[Connection]:
        """Open another connection to the same database and commit at the end."""
        engine = create_engine(self.database.url, poolclass=NullPool)
        with engine.connect() as other:
            yield other
            other.commit()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.database.read(lambda connection: [tuple(row) for row in connection.execute(text(query))])


async def _result(future: asyncio.Future[Receipt]) -> Receipt | HubbubError:
    try:
        return await future
    except HubbubError as error:
        return error


@asynccontextmanager
async def store_at(address: str) -> AsyncIterator[Store]:
    """Run a journal on a database that other journals may use, too."""
    database = Database(address)
    migrate.upgrade(database, epoch="first", now=START)
    published: list[Entry] = []
    batches: list[int] = []
    journal = Journal(
        database, Clock(), published.extend, max_commands=200, observe=lambda batch: batches.append(len(batch.commands))
    )
    journal.start()
    try:
        yield Store(database, journal, published, batches)
    finally:
        await journal.stop()
        database.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with store_at(database_url) as found:
        yield found
