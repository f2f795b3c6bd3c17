"""Reads from the event loop: how long they may take, and what a crowd does to that."""

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


async def test_whoever_waits_in_a_crowd_is_served_in_the_end(database: Database) -> None:
    read, slowly = Readers(database), threading.Event()

    def query(_connection: Connection, number: int) -> int:
        slowly.wait(LIMIT / 10)
        return number

    crowd = 24 * READERS
    begin = time.monotonic()
    answers = await asyncio.gather(*(read(query, number) for number in range(crowd)))
    assert answers == list(range(crowd))
    assert time.monotonic() - begin > 2 * LIMIT, "nobody waited for longer than a read may take: no crowd"


async def test_a_store_that_answers_nobody_is_unavailable_to_all(database: Database) -> None:
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


async def test_one_read_that_hangs_is_given_up_while_others_go_on(database: Database) -> None:
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


async def test_somebody_who_leaves_is_not_told_that_the_store_is_unavailable(database: Database) -> None:
    read, release = Readers(database), threading.Event()
    try:
        waiting = asyncio.ensure_future(read(lambda _connection: release.wait(60)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    finally:
        release.set()
