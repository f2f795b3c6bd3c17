"""Nodes that write to many topics in one transaction, in opposite orders.

They take their locks in one order, so that no deadlock occurs. If one occurs after all, PostgreSQL
ends one of the transactions, and the journal runs it again: that costs time, and no answer is wrong.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from hubbub.domain.commands import Command, CreateRoom, ForwardMessage, JoinRoom, ReadRooms, SendMessage
from hubbub.domain.commands.reads import RoomRead
from hubbub.domain.errors import HubbubError, Unavailable
from hubbub.domain.model import Actor
from hubbub.engine.batch import Batch
from hubbub.storage.transaction import Head, Transaction
from tests.engine.conftest import Store, store_at
from tests.support import depth
from tests.support.entries import ENTRIES
from tests.support.postgres import Postgres

NODES, ROOMS, LANES = 3, 6, 4
ATTEMPTS = 50


@pytest.fixture
async def nodes(postgres_server: Postgres, patient_postgresql: None) -> AsyncIterator[list[Store]]:
    address = postgres_server.fresh()
    url = make_url(address)
    with closing(psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True)) as admin:
        name = sql.Identifier(url.database or "")
        admin.execute(sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '20ms'").format(name))  # found soon
    async with store_at(address) as first, store_at(address) as second, store_at(address) as third:
        yield [first, second, third]
    postgres_server.drop(address)


def lock_in_turn(store: Store, *, backwards: bool, known: dict[str, Head] | None = None) -> None:
    """Let a node take the locks of a transaction one after the other, in its own order.

    With `known` it reads the head of a topic once.
    """
    run = store.journal._run

    def running(batch: Batch, tx: Transaction) -> None:
        lock = tx.lock

        def one_by_one(wanted: Iterable[str]) -> None:
            for topic in sorted(set(wanted), reverse=backwards):
                lock([topic])
            if known is not None:
                tx.heads.update({topic: known.setdefault(topic, head) for topic, head in tx.heads.items()})

        tx.lock = one_by_one  # type: ignore[method-assign]
        run(batch, tx)

    store.journal._run = running  # type: ignore[method-assign]


def deadlocks(store: Store) -> int:
    """Return how many transactions PostgreSQL ended because of deadlocks."""
    store.rows("SELECT pg_stat_clear_snapshot()")
    (row,) = store.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(str(row[0]))


async def write_across(nodes: list[Store]) -> list[str]:
    """Send to, forward between and read many rooms on all nodes; return what was wrong."""
    alice = await nodes[0].person("alice")
    rooms = [(await nodes[0].journal.submit(CreateRoom(name=f"R{n}"), alice)).answer["room"].id for n in range(ROOMS)]
    bobs = [await nodes[0].person(f"bob{number}") for number in range(NODES)]
    first: dict[int, int] = {}
    for room in rooms:
        for bob in bobs:
            await nodes[0].journal.submit(JoinRoom(room=room), bob)
        answer = (await nodes[0].journal.submit(SendMessage(room=room, key="first", body="first"), alice)).answer
        first[room] = int(str(answer["seq"]))
    told: list[tuple[int, int]] = []
    wrong: list[str] = []

    async def ask(store: Store, command: Command, actor: Actor, room: int | None) -> None:
        for _ in range(ATTEMPTS):
            try:
                receipt = await store.journal.submit(command, actor)
                break
            except Unavailable:  # the node has lost several times: the client sends it again, with its key
                continue
            except HubbubError as error:
                wrong.append(f"{type(command).__name__}: {error!r}")
                return
        else:
            wrong.append(f"{type(command).__name__} was unavailable {ATTEMPTS} times")
            return
        if room is not None:
            told.append((room, int(str(receipt.answer["seq"]))))

    async def lane(number: int, lane_: int) -> None:
        store, bob = nodes[number], bobs[number]
        for round_ in range(depth.rounds("rounds across rooms", short=10, long=500)):
            here, there = random.sample(rooms, 2)
            key = f"{lane_}.{round_}"
            reads = tuple(RoomRead(room=room, seq=first[room]) for room in random.sample(rooms, ROOMS))
            await asyncio.gather(
                ask(store, SendMessage(room=here, key=key, body=key), bob, here),
                ask(store, ForwardMessage(room=there, key=f"f{key}", from_room=here, message=first[here]), bob, there),
                ask(store, ReadRooms(rooms=reads), bob, None),
            )

    await asyncio.gather(*(lane(number, each) for number in range(NODES) for each in range(LANES)))
    if len(set(told)) != len(told):
        wrong.append("two messages share a position")
    for room in rooms:
        rows = nodes[1].rows(f"SELECT seq FROM {ENTRIES} WHERE topic = 'room:{room}' ORDER BY seq")
        stored = [int(str(row[0])) for row in rows]
        if stored != list(range(1, len(stored) + 1)):
            wrong.append(f"room {room} has gaps")
        if not {seq for where, seq in told if where == room} <= set(stored):
            wrong.append(f"an acknowledged message of room {room} is not stored")
    for number, store in enumerate(nodes):
        for room in rooms:
            seen = [entry.seq for entry in store.published if entry.topic == f"room:{room}"]
            if seen != sorted(set(seen)):
                wrong.append(f"node {number} published room {room} out of order")
    return wrong


async def test_nodes_that_write_to_many_topics_in_opposite_orders_never_deadlock(nodes: list[Store]) -> None:
    found = await write_across(nodes)
    assert not found, found
    assert deadlocks(nodes[0]) == 0


async def test_deadlocks_between_nodes_cost_a_retry_and_no_answer_is_wrong(nodes: list[Store]) -> None:
    for number, store in enumerate(nodes):
        lock_in_turn(store, backwards=number % 2 == 1)
    found = await write_across(nodes)
    assert deadlocks(nodes[0]) > 0, "the control: this order of locks does deadlock"
    assert not found, found


async def test_control_nodes_that_go_on_with_what_they_read_before_a_deadlock_answer_wrongly(
    nodes: list[Store],
) -> None:
    for number, store in enumerate(nodes):
        lock_in_turn(store, backwards=number % 2 == 1, known={})
    assert await write_across(nodes)
