"""Reads from the event loop: their timeout, and how a crowd of readers affects it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hubbub.domain.errors import Unavailable
from hubbub.engine import services
from hubbub.engine.services import Readers
from hubbub.storage.database import READERS, Database

LIMIT = 1.0


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(services, "READ_TIMEOUT", LIMIT)
    with closing(Database(f"sqlite:///{tmp_path / 'hubbub.db'}")) as opened:
        yield opened


async def test_all_reads_of_a_crowd_are_answered_in_the_end(database: Database) -> None:
    read, slowly = Readers(database), threading.Event()

    def query(_connection: Connection, number: int) -> int:
        slowly.wait(LIMIT / 10)
        return number

    crowd = 24 * READERS
    begin = time.monotonic()
    answers = await asyncio.gather(*(read(query, number) for number in range(crowd)))
    assert answers == list(range(crowd))
    assert time.monotonic() - begin > 2 * LIMIT, "no read waited for longer than the timeout: no crowd"


async def test_all_reads_of_a_hanging_database_fail_as_unavailable(database: Database) -> None:
    read, release = Readers(database), threading.Event()

    def query(_connection: Connection) -> bool:
        return release.wait(60)

    try:
        waiting = [asyncio.ensure_future(read(query)) for _ in range(3 * READERS)]
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        release.set()
    assert {type(answer) for answer in answers} == {Unavailable}


async def test_one_hanging_read_is_abandoned_while_others_continue(database: Database) -> None:
    read, release = Readers(database), threading.Event()

    async def others() -> None:
        while True:
            await read(lambda _connection: None)

    try:
        busy = asyncio.ensure_future(others())
        with pytest.raises(Unavailable):
            async with asyncio.timeout(30):
                await read(lambda _connection: release.wait(60))
    finally:
        release.set()
        busy.cancel()


async def test_a_cancelled_read_does_not_report_the_database_as_unavailable(database: Database) -> None:
    read, release = Readers(database), threading.Event()
    try:
        waiting = asyncio.ensure_future(read(lambda _connection: release.wait(60)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    finally:
        release.set()
