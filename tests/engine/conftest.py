"""A real store and a real journal, in process: what the engine's tests stand on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from hubbub.clock import Clock
from hubbub.domain.commands import Command, CreateAccount
from hubbub.domain.errors import HubbubError
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.journal import Journal
from hubbub.engine.work import Receipt
from hubbub.storage import migrate
from hubbub.storage.database import Database

START = 1_790_000_000_000


@dataclass
class Desk:
    """A journal at work, what it published, and ways to make its life hard."""

    database: Database
    journal: Journal
    published: list[Entry] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    async def person(self, name: str, role: Role = Role.MEMBER) -> Actor:
        receipt = await self.journal.submit(CreateAccount(username=name, password_hash="-", role=role), SYSTEM)
        user = receipt.answer["user"]
        assert isinstance(user, dict)
        return Actor(int(user["id"]), name, role, session=f"session of {name}")

    async def together(self, asked: Sequence[tuple[Command, Actor]]) -> list[Receipt | HubbubError]:
        """Runs commands so that all but the first share a batch: the store is held while they queue up."""
        pending: list[asyncio.Future[Receipt]] = []
        with self.held():
            for command, actor in asked:
                pending.append(asyncio.ensure_future(self.journal.submit(command, actor)))
                await asyncio.sleep(0)
        return [await _result(future) for future in pending]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody else holds the store's write lock."""
        with self.elsewhere() as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def elsewhere(self) -> Iterator[sqlite3.Connection]:
        """Another connection to the same file."""
        assert self.database.path is not None
        with closing(sqlite3.connect(self.database.path, timeout=5, isolation_level=None)) as other:
            yield other

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.database.read(lambda connection: [tuple(row) for row in connection.execute(text(query))])


async def _result(future: asyncio.Future[Receipt]) -> Receipt | HubbubError:
    try:
        return await future
    except HubbubError as error:
        return error


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(f"sqlite:///{tmp_path / 'hubbub.db'}")
    migrate.upgrade(database, epoch="first", now=START)
    published: list[Entry] = []
    batches: list[int] = []
    journal = Journal(
        database, Clock(), published.extend, max_commands=200, observe=lambda size, _seconds: batches.append(size)
    )
    journal.start()
    yield Desk(database, journal, published, batches)
    await journal.stop()
    database.close()
