"""Answers stay true and timely while PostgreSQL stops, hangs or is unreachable."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import HubbubError, Unavailable
from hubbub.domain.model import LOBBY, Actor
from hubbub.engine.services import Readers
from hubbub.storage import log
from tests.engine.conftest import Store, store_at
from tests.support.entries import ENTRIES
from tests.support.postgres import Postgres
from tests.support.timing import TooSlowError, active, three_attempts, within
from tests.support.wire import Wire, wire

TOLD = 3.5  # The journal's deadline of 2 s, its quarter of a second between two checks, and a busy machine.
RECOVERED = 5.0


class Talk:
    """A user who sends messages in turn, each with one key until acknowledged."""

    def __init__(self, store: Store, actor: Actor, name: str) -> None:
        self._desk, self._actor, self._name = store, actor, name
        self.acknowledged: dict[str, int] = {}
        self.slowest = 0.0
        self.refusals = 0
        self.last = 0.0

    async def go_on(self) -> None:
        number = 0
        while True:
            key = f"{self._name}.{number}"
            started = active()
            try:
                receipt = await self._desk.journal.submit(SendMessage(room=LOBBY, key=key, body=key), self._actor, self)
                self.acknowledged[key] = int(str(receipt.answer["seq"]))
                self.last = monotonic()
                number += 1
            except Unavailable:
                self.refusals += 1
                await asyncio.sleep(0.05)  # A real client would pause as well.
            self.slowest = max(self.slowest, active() - started)


@asynccontextmanager
async def talking(store: Store) -> AsyncIterator[list[Talk]]:
    """Run ten senders; at the end compare every acknowledgement with what is stored."""
    talks = [Talk(store, await store.person(f"person{n}"), f"p{n}") for n in range(10)]
    tasks = [asyncio.create_task(talk.go_on()) for talk in talks]
    await until(lambda: all(len(talk.acknowledged) > 5 for talk in talks))
    yield talks
    await all_heard(talks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.journal.stop()
    told = {key: seq for talk in talks for key, seq in talk.acknowledged.items()}
    stored = {str(key): int(str(seq)) for key, seq in store.rows("SELECT key, seq FROM messages")}
    assert told.items() <= stored.items()
    assert len(stored) - len(told) <= len(talks), (
        "only the last message of each sender may be stored without an acknowledgement"
    )
    seqs = [entry.seq for entry in store.published if entry.topic == f"room:{LOBBY}"]
    assert seqs == list(range(1, len(seqs) + 1)), "each entry is published once, in order"
    assert store.rows("SELECT count(*), max(seq), max(n) FROM messages") == [
        (len(stored), max(stored.values()), len(stored))
    ]
    assert store.rows(f"SELECT count(*), max(seq) FROM {ENTRIES} WHERE topic = 'room:{LOBBY}'") == [
        (len(seqs), len(seqs))
    ]


async def all_heard(talks: list[Talk]) -> None:
    """Wait until every sender has an acknowledgement from after now."""
    now = monotonic()
    with within(RECOVERED):
        await until(lambda: all(talk.last > now for talk in talks))


def told_in_time(slowest: float) -> None:
    if slowest >= TOLD:
        raise TooSlowError(f"answered after {slowest:.1f} s")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  the watched state has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def near_desk(server: Postgres) -> AsyncIterator[Store]:
    address = server.fresh()
    async with store_at(address) as found:
        yield found
    server.drop(address)


async def outcome(asked: Awaitable[object]) -> tuple[str, float]:
    started = active()
    try:
        await asked
    except HubbubError as error:
        return error.code, active() - started
    return "ok", active() - started


@three_attempts
async def test_messages_are_neither_lost_nor_repeated_when_postgresql_crashes_and_restarts(
    postgres_server: Postgres,
) -> None:
    async with near_desk(postgres_server) as store, talking(store) as talks:
        for _ in range(2):
            for talk in talks:
                talk.refusals = 0
            await asyncio.to_thread(postgres_server.crash)
            await until(lambda: all(talk.refusals for talk in talks))
            await asyncio.to_thread(postgres_server.start)
            await all_heard(talks)
    told_in_time(max(talk.slowest for talk in talks))


@three_attempts
async def test_a_hanging_postgresql_is_unavailable_in_time_and_messages_are_neither_lost_nor_repeated(
    postgres_server: Postgres,
) -> None:
    async with near_desk(postgres_server) as store, talking(store) as talks:
        with postgres_server.hung():
            await until(lambda: all(talk.refusals for talk in talks))
            told = {key for talk in talks for key in talk.acknowledged}
            await asyncio.sleep(0.5)
            assert {key for talk in talks for key in talk.acknowledged} == told, "acknowledged by a frozen database"
    told_in_time(max(talk.slowest for talk in talks))


@three_attempts
async def test_reads_on_a_hanging_postgresql_fail_in_time_and_work_again_when_it_resumes(
    postgres_server: Postgres,
) -> None:
    async with near_desk(postgres_server) as store:
        read = Readers(store.database)
        assert (await outcome(read(log.epoch)))[0] == "ok"
        with postgres_server.hung():
            asked = await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(50)))
            assert {code for code, _ in asked} == {"unavailable"}
            told_in_time(max(seconds for _, seconds in asked))
        await read_again(read)
        asked = await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(50)))
        assert {code for code, _ in asked} == {"ok"}


async def read_again(read: Readers) -> None:
    with within(RECOVERED):
        async with asyncio.timeout(30):
            while (await outcome(read(log.epoch)))[0] != "ok":
                pass


async def test_readers_open_new_connections_after_postgresql_restarted(postgres_server: Postgres) -> None:
    async with near_desk(postgres_server) as store:
        read = Readers(store.database)
        assert {code for code, _ in await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(20)))} == {"ok"}
        await asyncio.to_thread(postgres_server.crash)
        assert (await outcome(read(log.epoch)))[0] == "unavailable"
        await asyncio.to_thread(postgres_server.start)
        assert {code for code, _ in await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(20)))} == {"ok"}


@asynccontextmanager
async def far_desk(server: Postgres) -> AsyncIterator[tuple[Store, Wire]]:
    """Run a journal whose database is behind a network."""
    address = server.fresh()
    with wire(server.socket) as between:
        async with store_at(between.url(address)) as store:
            yield store, between
    server.drop(address)


@three_attempts
async def test_a_commit_whose_answer_was_lost_is_looked_up_on_another_connection(postgres_server: Postgres) -> None:
    async with far_desk(postgres_server) as (store, between), talking(store) as talks:
        for _ in range(2):
            between.lose_answers()
            await all_heard(talks)
        told_in_time(max(talk.slowest for talk in talks))


@three_attempts
async def test_a_silent_connection_is_abandoned_on_both_sides(postgres_server: Postgres) -> None:
    async with far_desk(postgres_server) as (store, between), talking(store) as talks:
        for _ in range(2):
            between.fall_silent()
            await all_heard(talks)  # PostgreSQL's side also held the lobby's lock until it gave up.
        told_in_time(max(talk.slowest for talk in talks))


@three_attempts
async def test_readers_abandon_silent_connections(postgres_server: Postgres) -> None:
    async with far_desk(postgres_server) as (store, between):
        read = Readers(store.database)
        assert {code for code, _ in await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(20)))} == {"ok"}
        between.fall_silent()
        asked = await asyncio.gather(*(outcome(read(log.epoch)) for _ in range(20)))
        told_in_time(max(seconds for _, seconds in asked))
        await read_again(read)


@three_attempts
async def test_a_slow_database_answers_unavailable_in_time_and_recovers(
    postgres_server: Postgres,
) -> None:
    async with far_desk(postgres_server) as (store, between), talking(store) as talks:
        between.delay = 2.0
        await until(lambda: all(talk.refusals for talk in talks))
        between.delay = 0.0
        await all_heard(talks)
        told_in_time(max(talk.slowest for talk in talks))
