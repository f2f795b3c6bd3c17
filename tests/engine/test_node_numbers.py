"""Node numbers: no two nodes that write at the same time have the same one, however many have started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text

from hubbub.clock import Clock
from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import Unavailable
from hubbub.domain.model import LOBBY, Actor
from hubbub.storage import ids as ids_module
from hubbub.storage.ids import NODE_BITS, Ids
from tests.engine.conftest import Store, store_at
from tests.support.entries import ENTRIES
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

COUNT = 1 << NODE_BITS
PATIENCE = 30.0
DAY = 86_400_000


@pytest.fixture
async def address(postgres_server: Postgres, patient_postgresql: None) -> AsyncIterator[str]:
    made = postgres_server.fresh()
    yield made
    postgres_server.drop(made)


def number(store: Store) -> int:
    ids = store.journal._ids
    assert ids is not None
    return ids._node


def wrap(store: Store, wanted: int) -> None:
    """Let the next node that starts be offered a number again."""
    with store.elsewhere() as other:
        other.execute(text("UPDATE meta SET value = :value WHERE key = 'nodes'"), {"value": str(COUNT + wanted - 1)})


async def send(store: Store, actor: Actor, count: int, key: str) -> list[int]:
    async def sent(number: int) -> int:
        command = SendMessage(room=LOBBY, key=f"{key}.{number}", body="hello")
        while True:
            try:
                return int(str((await store.journal.submit(command, actor)).answer["seq"]))
            except Unavailable:  # the key makes the repetition safe
                continue

    return list(await asyncio.gather(*(sent(number) for number in range(count))))


async def two_after_a_wrap(address: str, stack: AsyncExitStack) -> tuple[Store, Store, Actor]:
    """Return a node, and one that has started when the counter offered the number of the first one again."""
    first = await stack.enter_async_context(store_at(address))
    alice = await first.person("alice")
    wrap(first, number(first))
    second = await stack.enter_async_context(store_at(address))
    await send(second, alice, 1, "first of the second")
    return first, second, alice


class Standing(Clock):
    """A clock that stands, so that all nodes make their ids in the same microseconds."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now


async def collisions(first: Store, second: Store, alice: Actor) -> int:
    """Send on both nodes at the same time, and return how many messages have the id of another one."""
    for store in (first, second):
        store.journal._clock = Standing(Clock().now() + DAY)
    sent = await asyncio.gather(send(first, alice, 100, "a"), send(second, alice, 100, "b"))
    assert len({seq for each in sent for seq in each}) == 200
    ((count, distinct),) = first.rows("SELECT count(*), count(DISTINCT id) FROM messages")
    ((entries,),) = first.rows(f"SELECT count(*) FROM {ENTRIES} WHERE topic = 'room:{LOBBY}'")
    assert int(str(entries)) >= 200
    return int(str(count)) - int(str(distinct))


async def test_a_number_in_use_is_left_out_when_the_counter_starts_again(address: str) -> None:
    async with AsyncExitStack() as stack:
        first, second, alice = await two_after_a_wrap(address, stack)
        assert number(second) == (number(first) + 1) % COUNT
        assert await collisions(first, second, alice) == 0


async def test_control_without_the_lock_messages_have_the_same_id(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids_module, "_lock", lambda connection, node: True)
    async with AsyncExitStack() as stack:
        first, second, alice = await two_after_a_wrap(address, stack)
        assert number(second) == number(first)
        assert await collisions(first, second, alice) > 0


async def test_a_node_that_lost_its_connection_takes_another_number_if_its_own_is_taken(address: str) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(store_at(address))
        alice = await first.person("alice")
        before = number(first)
        with first.elsewhere() as other:
            ids = Ids(before)
            assert not ids.hold(other), "the node has it"
            other.exec_driver_sql("COMMIT")
            backends = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            other.exec_driver_sql(f"{backends} AND classid = {ids_module.LOCK_CLASS}")
            await eventually(lambda: ids.hold(other), PATIENCE, "the number is free")
            await send(first, alice, 3, "later")
            assert number(first) != before
            other.rollback()
        after = number(first)
        with first.elsewhere() as other:
            other.exec_driver_sql(f"{backends} AND classid = {ids_module.LOCK_CLASS}")
            other.commit()
        await send(first, alice, 3, "last")
        assert after != before


async def test_of_a_thousand_starts_none_gets_the_number_of_a_node_that_runs(address: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(store_at(address)) for _ in range(3)]
        alice = await stores[0].person("alice")
        for store in stores:
            await send(store, alice, 1, f"of {stores.index(store)}")
        running = {number(store) for store in stores}
        assert len(running) == 3
        seen = set()
        with stores[0].elsewhere() as other:
            for _ in range(COUNT + 10):
                seen.add(Ids.load(other).next() & (COUNT - 1))
                other.exec_driver_sql("SELECT pg_advisory_unlock_all()")
                other.commit()
        assert seen == set(range(COUNT)) - running


async def test_without_a_free_number_nothing_is_written(address: str) -> None:
    async with store_at(address) as store, store_at(address) as late:
        alice = await store.person("alice")
        with store.elsewhere() as other:
            for node in range(COUNT):
                Ids(node).hold(other)
            with pytest.raises(Unavailable):
                await late.journal.submit(SendMessage(room=LOBBY, key="k", body="hello"), alice)
            other.rollback()
        await send(late, alice, 1, "when one is free")


async def test_ids_continue_above_the_stored_ones_when_the_clock_was_set_back(database_url: str) -> None:
    async with store_at(database_url) as store:
        alice = await store.person("alice")
        await send(store, alice, 5, "before")
    async with store_at(database_url) as store:
        store.journal._clock = Standing(Clock().now() - 300 * DAY)
        await send(store, alice, 5, "after")
        ids: Any = [row[0] for row in store.rows("SELECT id FROM messages ORDER BY seq")]
        assert ids == sorted(set(ids))
