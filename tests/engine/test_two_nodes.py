"""Two nodes on one PostgreSQL: one order per room, and final removals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Connection

from hubbub.domain.commands import (
    Command,
    CreateAccount,
    CreateRoom,
    DeleteAccount,
    JoinRoom,
    RemoveMember,
    SendMessage,
    SetDisabled,
)
from hubbub.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.batch import Receipt
from hubbub.storage.ids import NODE_BITS, Ids
from tests.engine.conftest import Store, store_at
from tests.support.entries import ENTRIES
from tests.support.postgres import Postgres


@pytest.fixture
async def desks(postgres_server: Postgres, patient_postgresql: None) -> AsyncIterator[tuple[Store, Store]]:
    address = postgres_server.fresh()
    async with store_at(address) as first, store_at(address) as second:
        yield first, second
    postgres_server.drop(address)


async def room(store: Store, owner: Actor, name: str) -> int:
    made = (await store.journal.submit(CreateRoom(name=name), owner)).answer["room"]
    return made.id


async def waiting(store: Store, count: int, unless: "asyncio.Task[Receipt] | None" = None) -> None:
    """Wait until `count` connections wait for a lock, or `unless` is done.

    The database offers no event for this, so poll.
    """
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while store.rows(query) != [(count,)] and not (unless and unless.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def sequence(receipt: Receipt) -> int:
    return int(str(receipt.answer["seq"]))


async def test_two_nodes_write_the_same_rooms_without_gaps_and_without_deadlocks(desks: tuple[Store, Store]) -> None:
    alice = await desks[0].person("alice")
    rooms = [await room(desks[0], alice, f"Room {n}") for n in range(5)]

    async def talk(store: Store, name: str) -> list[tuple[int, int]]:
        told = []
        for n in range(60):
            # The rooms of a batch come in another order on each node and in each round.
            where = rooms[(n * (3 if store is desks[0] else 2) + len(name)) % len(rooms)]
            receipt = await store.journal.submit(SendMessage(room=where, key=f"{name}.{n}", body="hello"), alice)
            told.append((where, sequence(receipt)))
        return told

    talks = [talk(store, f"{node}.{'x' * n}") for node, store in enumerate(desks) for n in range(20)]
    told = [each for result in await asyncio.gather(*talks) for each in result]
    assert len(set(told)) == len(told) == 2 * 20 * 60, "two messages share a position, or one was refused"
    for where in rooms:
        ours = sorted(seq for each, seq in told if each == where)
        assert ours == list(range(ours[0], ours[0] + len(ours))), "the seqs have a gap"
        assert desks[1].rows(f"SELECT count(*), max(seq) FROM {ENTRIES} WHERE topic = 'room:{where}'") == [
            (ours[-1], ours[-1])
        ]
    for store in desks:
        for where in rooms:
            seen = [entry.seq for entry in store.published if entry.topic == f"room:{where}"]
            assert seen == sorted(set(seen)), "published out of order"
    assert all(max(store.batches) > 5 for store in desks), "the messages must share batches"


async def test_no_message_of_a_removed_member_follows_the_removal(desks: tuple[Store, Store]) -> None:
    first, second = desks
    alice, bob = await first.person("alice"), await first.person("bob")
    for round_ in range(10):
        where = await room(first, alice, f"Room {round_}")
        await first.journal.submit(JoinRoom(room=where), bob)
        sent: list[int] = []

        async def talk(where: int, sent: list[int]) -> None:
            number = 0
            while True:
                receipt = await second.journal.submit(SendMessage(room=where, key=str(number), body="hello"), bob)
                sent.append(sequence(receipt))
                number += 1

        talks = [asyncio.create_task(talk(where, sent))]
        async with asyncio.timeout(20):
            while len(sent) < 5:  # noqa: ASYNC110  a list has no event
                await asyncio.sleep(0.001)
        removed = sequence(await first.journal.submit(RemoveMember(room=where, user=bob.id), alice))
        with pytest.raises(NotFound):
            await talks[0]
        assert max(sent) < removed
        stored = second.rows(f"SELECT max(seq) FROM messages WHERE room = {where} AND author = {bob.id}")
        assert stored == [(max(sent),)]


async def test_two_nodes_that_create_a_direct_room_at_once_create_one(desks: tuple[Store, Store]) -> None:
    people = [await desks[0].person(name) for name in ("alice", "bob", "carol", "dora")]
    pairs = [(one, other) for one in people for other in people if one.id < other.id]
    for one, other in pairs:
        asked = [(store, who, whom) for store in desks for who, whom in ((one, other), (other, one))]
        answers = await asyncio.gather(
            *(insist(store, CreateRoom(kind="direct", members=(whom.id,)), who) for store, who, whom in asked)
        )
        assert len({answer.answer["room"].id for answer in answers}) == 1
    assert desks[1].rows("SELECT count(*) FROM rooms WHERE kind = 'direct'") == [(len(pairs),)]
    assert desks[1].rows("SELECT count(*) FROM participants") == [(2 * len(pairs),)]


async def insist(store: Store, command: Command, actor: Actor) -> Receipt:
    """Retry while the lock is not granted in time: on a busy machine that happens."""
    while True:
        with contextlib.suppress(Unavailable):
            return await store.journal.submit(command, actor)


@pytest.mark.parametrize(
    "lock_out", [lambda user: SetDisabled(user=user, disabled=True), lambda user: DeleteAccount(user=user)]
)
async def test_no_message_is_stored_after_its_author_was_disabled_on_the_other_node(
    desks: tuple[Store, Store], lock_out: Callable[[int], Command]
) -> None:
    first, second = desks
    alice, bob = await first.person("alice", Role.OWNER), await first.person("bob")
    where = await room(first, alice, "A")
    await first.journal.submit(JoinRoom(room=where), bob)
    await second.journal.submit(SendMessage(room=where, key="before", body="hello"), bob)
    with second.elsewhere() as other:
        # A send writes this row last, after it has been authorised.
        other.exec_driver_sql(f'SELECT 1 FROM members WHERE room = {where} AND "user" = {bob.id} FOR UPDATE')
        sending = asyncio.create_task(insist(second, SendMessage(room=where, key="late", body="hello"), bob))
        await waiting(first, 1)
        locking_out = asyncio.create_task(insist(first, lock_out(bob.id), SYSTEM))
        await waiting(first, 2, unless=locking_out)
        other.rollback()
    await locking_out
    stored = first.rows(f"SELECT count(*) FROM messages WHERE author = {bob.id}")
    await asyncio.gather(sending, return_exceptions=True)
    assert first.rows(f"SELECT count(*) FROM messages WHERE author = {bob.id}") == stored
    with pytest.raises(Forbidden):
        await second.journal.submit(SendMessage(room=where, key="after", body="hello"), bob)


async def test_a_retry_on_the_other_node_finds_the_first_message(desks: tuple[Store, Store]) -> None:
    alice = await desks[0].person("alice")
    asked = [
        store.journal.submit(SendMessage(room=1, key=f"k{n % 20}", body="hello"), alice)
        for n in range(200)
        for store in desks
    ]
    told = {sequence(receipt) for receipt in await asyncio.gather(*asked)}
    assert len(told) == 20
    assert desks[0].rows("SELECT count(*) FROM messages") == [(20,)]


async def test_one_name_wanted_on_both_nodes_is_given_once(desks: tuple[Store, Store]) -> None:
    for round_ in range(20):
        command = CreateAccount(username=f"name{round_}", password_hash="-", role=Role.MEMBER)
        results = await asyncio.gather(
            *(store.journal.submit(command, SYSTEM) for store in desks), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "Receipt"]
        # This is the check's own sentence: the second command was run again and saw the first one's
        # name.
        refused = next(result for result in results if isinstance(result, Conflict))
        assert refused.message != Conflict().message


async def test_nodes_that_would_create_the_same_ids_take_new_node_numbers(desks: tuple[Store, Store]) -> None:
    alice = await desks[0].person("alice")
    first, second = desks
    await second.journal.submit(SendMessage(room=1, key="first", body="hello"), alice)
    rooms = second.rows("SELECT count(*) FROM rooms")
    ids = first.journal._ids
    assert ids is not None
    before = ids._node
    twin = second.journal._ids
    assert twin is not None
    # As after a thousand starts, in one millisecond.
    ids._node, ids._last_public, twin._last_public = twin._node, 2**42, 2**42
    for store in (second, first):
        await store.journal.submit(CreateRoom(kind="private", name="A room"), alice)
    assert second.rows("SELECT count(*) FROM rooms") == [(int(str(rooms[0][0])) + 2,)]
    assert first.journal._ids is not None
    assert first.journal._ids._node not in (before, twin._node)


async def test_every_start_takes_a_new_node_number(desks: tuple[Store, Store]) -> None:
    def take(connection: Connection) -> int:
        ids = Ids.load(connection)
        connection.commit()
        return ids.next() & ((1 << NODE_BITS) - 1)

    with desks[0].database.migrating() as connection:
        assert len({take(connection) for _ in range(50)}) == 50


async def test_a_deadlock_is_retried_without_an_error(desks: tuple[Store, Store]) -> None:
    store = desks[0]
    alice, bob = await store.person("alice"), await store.person("bob")
    where = await room(store, alice, "A")
    with store.elsewhere() as other:
        # The journal's own statements never form a cycle, so foreign statements must: they lock a
        # user first and then the room that the journal holds while it waits for the user.
        other.exec_driver_sql("SET LOCAL deadlock_timeout = '10s'")
        other.exec_driver_sql(f"SELECT 1 FROM users WHERE id = {bob.id} FOR UPDATE")
        asked = asyncio.ensure_future(store.journal.submit(JoinRoom(room=where), bob))
        await waiting(desks[1], 1)
        statement = f"SELECT 1 FROM topics WHERE topic = 'room:{where}' FOR UPDATE"
        await asyncio.to_thread(other.exec_driver_sql, statement)
        assert not asked.done()
        other.rollback()
        receipt = await asked
    assert store.rows(f"SELECT head FROM topics WHERE topic = 'room:{where}'") == [(sequence(receipt),)]
