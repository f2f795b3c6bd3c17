"""The write path: acknowledged commands are stored once and in order.

A failure affects no other.
"""

import asyncio
import threading

import pytest
from sqlalchemy import RootTransaction
from structlog.testing import capture_logs

from hubbub.domain.commands import (
    Command,
    CreateRoom,
    DeleteAccount,
    JoinRoom,
    LeaveRoom,
    ReadRoom,
    RemoveMember,
    SendMessage,
    TrimTopic,
)
from hubbub.domain.errors import (
    OUTCOME_BY_KEY,
    OUTCOME_UNKNOWN,
    Busy,
    Conflict,
    Forbidden,
    HubbubError,
    NotFound,
    Unavailable,
)
from hubbub.domain.model import LOBBY, SYSTEM, Actor, Role
from hubbub.engine.batch import Receipt
from hubbub.engine.journal import Journal
from tests.engine.conftest import Store
from tests.support.entries import ENTRIES
from tests.support.timing import three_attempts, within
from tests.support.waiting import eventually


def hello(key: str, body: str = "hello", room: int = LOBBY) -> SendMessage:
    return SendMessage(room=room, key=key, body=body)


def seq(result: Receipt | HubbubError) -> int:
    assert isinstance(result, Receipt), result
    found = result.answer["seq"]
    assert isinstance(found, int)
    return found


def gapless(store: Store) -> bool:
    found = store.rows(f"SELECT topic, min(seq) - 1, max(seq), min(seq) - 1 + count(*) FROM {ENTRIES} GROUP BY topic")
    positions = store.rows("SELECT topic, floor, head FROM topics WHERE head > floor")
    return all(high == last and (topic, floor, high) in positions for topic, floor, high, last in found)


async def test_an_acknowledged_message_is_stored_and_published_at_its_seq(store: Store) -> None:
    alice = await store.person("alice")
    receipt = await store.journal.submit(hello("a"), alice)
    assert store.rows("SELECT seq, n, key, body FROM messages") == [(seq(receipt), 1, "a", "hello")]
    assert store.published[-1].seq == seq(receipt)
    assert gapless(store)


async def test_a_retry_returns_the_first_seq_and_another_body_is_a_conflict(store: Store) -> None:
    alice = await store.person("alice")
    first = seq(await store.journal.submit(hello("a"), alice))
    assert seq(await store.journal.submit(hello("a"), alice)) == first
    with pytest.raises(Conflict):
        await store.journal.submit(hello("a", "something else"), alice)
    assert store.rows("SELECT count(*) FROM messages") == [(1,)]


async def test_a_retry_returns_the_first_seq_after_the_author_lost_the_right_to_send(store: Store) -> None:
    alice, bob = await store.person("alice"), await store.person("bob")
    room = await store.journal.submit(CreateRoom(name="General"), alice)
    number = room.answer["room"].id
    await store.journal.submit(JoinRoom(room=number), bob)
    first = seq(await store.journal.submit(hello("a", room=number), bob))
    await store.journal.submit(RemoveMember(room=number, user=bob.id), alice)
    assert seq(await store.journal.submit(hello("a", room=number), bob)) == first
    with pytest.raises(NotFound):
        await store.journal.submit(hello("b", room=number), bob)


async def test_fifty_retries_of_one_key_in_one_batch_create_one_message(store: Store) -> None:
    alice = await store.person("alice")
    results = await store.together([(hello("a"), alice)] * 50)
    assert len({seq(result) for result in results}) == 1
    assert store.rows("SELECT count(*) FROM messages") == [(1,)]
    assert max(store.batches) > 10, "the retries must share a batch"
    assert gapless(store)


async def test_refused_commands_do_not_affect_others_in_their_batch(store: Store) -> None:
    alice, mallory = await store.person("alice"), Actor(99, "mallory", Role.MEMBER)
    asked = [(hello(f"good {n}"), alice) for n in range(50)]
    asked[10:10] = [(hello("no account"), mallory), (hello("no room", room=12345), alice)]
    results = await store.together(asked)
    assert sum(isinstance(result, Receipt) for result in results) == 50
    assert [type(result) for result in results[10:12]] == [Forbidden, NotFound]
    assert store.rows("SELECT count(*), max(n) FROM messages") == [(50, 50)]
    assert gapless(store)


async def test_a_statement_that_the_database_refuses_fails_only_its_command(store: Store) -> None:
    alice = await store.person("alice")
    with store.elsewhere() as other:
        if store.database.is_sqlite:
            other.exec_driver_sql(
                "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.body = 'poison'"
                " BEGIN SELECT RAISE(ABORT, 'poison'); END"
            )
        else:
            other.exec_driver_sql("ALTER TABLE messages ADD CHECK (body <> 'poison')")
    asked = [(hello(f"k{n}", "poison" if n == 17 else "fine"), alice) for n in range(40)]
    results = await store.together(asked)
    assert [n for n, result in enumerate(results) if isinstance(result, HubbubError)] == [17]
    assert store.rows("SELECT count(*), max(n) FROM messages") == [(39, 39)]
    assert [entry.seq for entry in store.published if entry.event.type == "message.sent"] == list(range(2, 41))
    assert gapless(store)


@pytest.mark.parametrize(
    "bad", ["a\x00b", "\x00", "a\ud800b", "x" * 4_000 + "\x00"], ids=["inside", "alone", "surrogate", "large"]
)
async def test_a_text_that_no_database_accepts_fails_only_its_command(store: Store, bad: str) -> None:
    alice = await store.person("alice")
    asked = [(hello(f"k{n}", "an honest \\u0000"), alice) for n in range(40)]
    asked[17] = (SendMessage.model_construct(room=LOBBY, key="bad", body=bad), alice)
    with capture_logs() as logs:
        results = await store.together(asked)
    assert [n for n, result in enumerate(results) if isinstance(result, HubbubError)] == [17]
    assert [line["event"] for line in logs] == ["command_failed"]
    assert store.rows("SELECT DISTINCT body FROM messages") == [("an honest \\u0000",)]
    assert store.rows("SELECT count(*), max(n) FROM messages") == [(39, 39)]
    assert gapless(store)


async def test_the_order_of_one_source_is_kept_across_groups_of_different_commands(store: Store) -> None:
    alice = await store.person("alice")
    answers: list[Receipt | HubbubError] = []
    create = CreateRoom(name="A")
    commands: list[Command] = [hello("1"), ReadRoom(room=LOBBY, seq=1), hello("2"), create, hello("3"), hello("4")]
    with store.held():
        for command in commands:
            store.journal.enqueue(command, alice, answers.append, "one source")
    await store.journal.submit(ReadRoom(room=LOBBY, seq=0), alice, "one source")
    bodies = store.rows("SELECT key FROM messages ORDER BY seq")
    assert bodies == [("1",), ("2",), ("3",), ("4",)]
    assert [type(answer) for answer in answers] == [Receipt] * len(commands)


async def test_a_send_queued_before_a_removal_succeeds_and_one_after_it_fails(store: Store) -> None:
    alice, bob = await store.person("alice"), await store.person("bob")
    number = (await store.journal.submit(CreateRoom(name="General"), alice)).answer["room"].id
    await store.journal.submit(JoinRoom(room=number), bob)
    answers: dict[str, Receipt | HubbubError] = {}
    with store.held():
        store.journal.enqueue(hello("before", room=number), bob, lambda r: answers.__setitem__("before", r), "x")
        remove = RemoveMember(room=number, user=bob.id)
        store.journal.enqueue(remove, alice, lambda r: answers.__setitem__("remove", r), "x")
        store.journal.enqueue(hello("after", room=number), bob, lambda r: answers.__setitem__("after", r), "x")
    await store.journal.submit(ReadRoom(room=LOBBY, seq=0), alice, "x")
    assert seq(answers["before"]) < seq(answers["remove"])
    assert isinstance(answers["after"], NotFound)


async def test_a_locked_database_is_unavailable_within_seconds_and_recovers_by_itself(store: Store) -> None:
    alice = await store.person("alice")

    @three_attempts
    async def is_unavailable_in_time() -> None:
        with store.held(), within(3), pytest.raises(Unavailable) as caught:
            await store.journal.submit(hello("a"), alice)
        assert caught.value.retry_after is not None

    await is_unavailable_in_time()
    assert store.rows("SELECT count(*) FROM messages") == [(0,)]
    seq(await store.journal.submit(hello("a"), alice))
    assert store.rows("SELECT count(*) FROM messages") == [(1,)]


async def test_all_commands_that_wait_for_a_locked_database_are_answered_within_the_deadline(store: Store) -> None:
    alice = await store.person("alice")

    @three_attempts
    async def all_hear_in_time() -> None:
        with store.held(), within(3):
            asked = [store.journal.submit(hello(str(n)), alice) for n in range(20)]
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)

    await all_hear_in_time()


async def test_a_commit_whose_answer_was_lost_is_acknowledged_if_it_happened(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await store.person("alice")
    commit = Journal._commit

    def lost(self: Journal, transaction: object) -> bool:
        assert commit(self, transaction)  # type: ignore[arg-type]
        self._writer.hang_up()
        return False

    monkeypatch.setattr(Journal, "_commit", lost)
    before = len(store.published)
    receipt = await store.journal.submit(hello("a"), alice)
    assert store.rows("SELECT seq FROM messages") == [(seq(receipt),)]
    assert len(store.published) == before + 1


async def test_a_commit_whose_answer_was_lost_is_unavailable_if_it_did_not_happen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await store.person("alice")

    def lost(self: Journal, transaction: object) -> bool:
        transaction.rollback()  # type: ignore[attr-defined]
        self._writer.hang_up()
        return False

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_commit", lost)
        before = len(store.published)
        with pytest.raises(Unavailable):
            await store.journal.submit(hello("a"), alice)
    assert len(store.published) == before
    assert store.rows("SELECT count(*) FROM messages") == [(0,)]
    seq(await store.journal.submit(hello("a"), alice))
    assert gapless(store)


@pytest.mark.parametrize("key", [None, "once"])
async def test_a_slow_commit_is_not_said_to_have_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """What waits behind it is refused for sure, and is not done; the one that is being written is done."""
    alice = await store.person("alice")
    begun, go_on = threading.Event(), threading.Event()
    commit = Journal._commit

    def slow(self: Journal, transaction: RootTransaction) -> bool:
        begun.set()
        assert go_on.wait(30)
        return commit(self, transaction)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_commit", slow)
        written = asyncio.ensure_future(store.journal.submit(CreateRoom(name="Slow", key=key), alice))
        assert await asyncio.to_thread(begun.wait, 30)
        waits = asyncio.ensure_future(store.journal.submit(CreateRoom(name="Waiting", key=key), alice))
        said = await asyncio.gather(written, waits, return_exceptions=True)
        go_on.set()
        assert [str(each) for each in said] == [OUTCOME_BY_KEY if key else OUTCOME_UNKNOWN, Unavailable.sentence]
        assert all(isinstance(each, Unavailable) for each in said)
        names = "SELECT name FROM rooms WHERE name IN ('Slow', 'Waiting')"
        await eventually(lambda: store.rows(names), 30, "the slow one is on disk")
    assert store.rows(names) == [("Slow",)]


async def test_a_full_queue_answers_busy_at_once(store: Store) -> None:
    alice = await store.person("alice")
    with store.held():
        first = asyncio.ensure_future(store.journal.submit(hello("first"), alice))
        await asyncio.sleep(0)
        # The writer now waits for the database, so nothing else leaves the queue.
        await eventually(lambda: not store.journal.load.waiting, 10, "the writer takes the first", every=0)
        asked = [asyncio.ensure_future(store.journal.submit(hello(str(n)), alice)) for n in range(260)]
        await asyncio.sleep(0)
        refused = [future for future in asked if future.done()]
    results = await asyncio.gather(first, *asked, return_exceptions=True)
    assert len(refused) == 60
    assert all(isinstance(future.exception(), Busy) for future in refused)
    stored = sum(isinstance(result, Receipt) for result in results)
    assert store.rows("SELECT count(*) FROM messages") == [(stored,)]


async def test_a_command_that_discovers_more_topics_runs_alone_with_all_of_them(store: Store) -> None:
    alice, bob = await store.person("alice", Role.OWNER), await store.person("bob")
    for name in ("A", "B", "C"):
        number = (await store.journal.submit(CreateRoom(name=name), alice)).answer["room"].id
        await store.journal.submit(JoinRoom(room=number), bob)
    results = await store.together(
        [(hello("x"), alice), (DeleteAccount(user=bob.id, seen_hash="-"), bob), (hello("y"), alice)]
    )
    assert [type(result) for result in results] == [Receipt] * 3
    assert store.rows(f'SELECT count(*) FROM members WHERE "user" = {bob.id}') == [(0,)]
    assert gapless(store)


async def test_leaving_the_lobby_is_refused_and_writes_nothing(store: Store) -> None:
    alice = await store.person("alice")
    before = store.rows("SELECT topic, head FROM topics ORDER BY topic")
    with pytest.raises(HubbubError) as caught:
        await store.journal.submit(LeaveRoom(room=LOBBY), alice)
    assert caught.value.code == "forbidden"
    assert store.rows("SELECT topic, head FROM topics ORDER BY topic") == before


async def test_trimming_removes_a_prefix_and_moves_the_floor(store: Store) -> None:
    alice = await store.person("alice")
    for n in range(10):
        await store.journal.submit(hello(str(n)), alice)
    with store.elsewhere() as other:
        other.exec_driver_sql("UPDATE messages SET at = 1000 WHERE seq <= 5")
        # This one stays because it follows a younger entry.
        other.exec_driver_sql("UPDATE messages SET at = 1000 WHERE seq = 8")
        other.exec_driver_sql("UPDATE log SET at = 1000 WHERE topic = 'room:1'")
    receipt = await store.journal.submit(TrimTopic(topic="room:1", before=2_000), SYSTEM)
    assert receipt.answer == {"gone": 5}
    assert store.rows("SELECT floor FROM topics WHERE topic = 'room:1'") == [(5,)]
    assert store.rows(f"SELECT min(seq), count(*) FROM {ENTRIES} WHERE topic = 'room:1'") == [(6, 6)]
    assert store.rows("SELECT count(*) FROM messages") == [(10,)], "messages are kept"


async def test_large_and_unusual_bodies_in_one_batch_are_stored_unchanged(store: Store) -> None:
    alice = await store.person("alice")
    bodies = [
        "x" * 4_000,
        "small",
        "'; DROP TABLE messages; --",
        "%s %(a)s :b ? \\",
        "👩‍👩‍👧 \u202e",
        "\ufffe\U0010ffff",
        "ü" * 4_000,
        "y" * 8_000,
    ]
    results = await store.together([(hello(str(n), body), alice) for n, body in enumerate(bodies)])
    assert [type(result) for result in results] == [Receipt] * len(bodies)
    stored = store.rows("SELECT body FROM messages ORDER BY seq")
    assert stored == [(body,) for body in bodies]
