"""A database that lost commits under a running journal, and the high-water mark."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from hubbub.clock import Clock
from hubbub.domain.commands import CreateRoom, SendMessage, TrimTopic
from hubbub.domain.errors import Unavailable
from hubbub.domain.model import SYSTEM, Actor, room_topic
from hubbub.engine.history import History
from hubbub.engine.journal import Journal
from hubbub.storage import epochs, migrate
from hubbub.storage.database import Database
from hubbub.storage.epochs import Commit, Mark
from hubbub.storage.schema import messages, meta, topics
from tests.engine.conftest import START, Store
from tests.support.postgres import Postgres
from tests.support.waiting import eventually


class Remembering(Store):
    """A store with a journal that notices a database that went back in time."""

    history: History
    epochs: list[str]
    ann: Actor


@pytest.fixture
async def remembering(database_url: str) -> AsyncIterator[Remembering]:
    database = Database(database_url)
    migrate.upgrade(database, epoch="first", now=START)
    first = database.read(lambda connection: epochs.seen(connection, None)[0])
    history, published = History(Mark(first), iter(["second", "third"]).__next__), list[object]()
    journal = Journal(database, Clock(), published.extend, history=history)
    found = Remembering(database, journal)
    found.history, found.epochs = history, []
    journal.on_new_epoch = found.epochs.append
    journal.start()
    try:
        yield found
    finally:
        await journal.stop()
        database.close()


async def room_with(store: Remembering, count: int) -> tuple[SendMessage, int]:
    """Return a further message for a room with `count` messages, and the room's head."""
    ann = store.ann = await store.person("ann")
    room = (await store.journal.submit(CreateRoom(name="Old"), ann)).answer["room"].id
    for number in range(count):
        await store.journal.submit(SendMessage(room=room, body="x", key=str(number)), ann)
    ((head,),) = store.rows(f"SELECT head FROM topics WHERE topic = 'room:{room}'")
    return SendMessage(room=room, body="next", key="next"), int(str(head))


async def test_heads_below_those_written_begin_a_new_epoch_before_anything_is_published(
    remembering: Remembering,
) -> None:
    """The connection stays open, so only the heads tell."""
    store = remembering
    message, head = await room_with(store, 3)
    topic = room_topic(message.room)
    with store.elsewhere() as other:
        other.execute(delete(messages).where(messages.c.room == message.room, messages.c.seq == head))
        other.execute(update(topics).where(topics.c.topic == topic).values(head=head - 1))
    with pytest.raises(Unavailable):
        await store.journal.submit(message, store.ann)
    await eventually(lambda: store.epochs == ["second"], 20, "the epoch is new")
    receipt = await store.journal.submit(message, store.ann)
    assert receipt.answer["seq"] == head, "the seq is given again, in the new epoch"
    assert store.database.read(epochs.seen, store.history.mark.commit) == ("second", True)
    assert store.epochs == ["second"]


async def test_a_suspected_database_that_lost_nothing_keeps_its_epoch(remembering: Remembering) -> None:
    store = remembering
    message, head = await room_with(store, 1)
    store.journal.suspect()
    receipt = await store.journal.submit(message, store.ann)
    assert receipt.answer["seq"] == head + 1
    assert store.epochs == []
    mark = store.history.mark
    assert mark.commit is not None
    assert mark.commit.topic == room_topic(message.room)
    assert mark.commit.seq == head + 1


async def test_a_seq_that_was_given_again_is_no_proof(remembering: Remembering) -> None:
    store = remembering
    message, head = await room_with(store, 1)
    with store.elsewhere() as other:
        own = messages.c.room == message.room, messages.c.seq == head
        other.execute(update(messages).where(*own).values(id=messages.c.id + 1))
    store.journal.suspect()
    await eventually(lambda: store.epochs == ["second"], 20, "the epoch is new")


async def test_a_trimmed_commit_counts_as_contained(remembering: Remembering) -> None:
    store = remembering
    message, _ = await room_with(store, 2)
    proof = store.history.mark.commit
    assert proof is not None
    await store.journal.submit(TrimTopic(topic=proof.topic, before=Clock().now() + 1_000_000), SYSTEM)
    assert store.rows(f"SELECT count(*) FROM log WHERE topic = '{proof.topic}'") == [(0,)]
    assert store.database.read(epochs.seen, proof)[1]
    store.journal.suspect()
    await store.journal.submit(message, store.ann)
    assert store.epochs == []


def test_a_mark_survives_writing_and_reading_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    assert epochs.read(tmp_path) is None
    mark = Mark("e", "r", Commit(7, "room:1", 3))
    epochs.write(tmp_path, mark)
    assert epochs.read(tmp_path) == mark
    epochs.close(tmp_path, mark)
    found = epochs.read(tmp_path)
    assert found is not None
    assert found.clean
    for damaged in (b"", b"{", b"[]", b'{"epoch":1}', b'{"epoch":"e","run":"","commit":[1],"clean":true}'):
        (tmp_path / epochs.FILE).write_bytes(damaged)
        assert epochs.read(tmp_path) is None
    epochs.forget(tmp_path)
    assert not (tmp_path / epochs.FILE).exists()


def test_a_folder_that_cannot_be_written_does_not_keep_a_server_from_running(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    epochs.write(tmp_path / "file", Mark("e"))  # no folder


def test_an_older_epoch_without_a_commit_to_compare_is_noticed(database_url: str, tmp_path: Path) -> None:
    with closing(Database(database_url)) as database:
        migrate.upgrade(database, epoch="first", now=START)
        epochs.write(tmp_path, Mark("later"))
        options = {"run": "r", "created": False, "wanted": False}
        mark, is_new = epochs.start(database, tmp_path, epoch="new", **options)  # type: ignore[arg-type]
        assert (mark.epoch, is_new) == ("new", True)
        mark, is_new = epochs.start(database, tmp_path, epoch="newer", **options)  # type: ignore[arg-type]
        assert (mark.epoch, is_new) == ("new", False)


# --- several nodes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(postgres_server: Postgres, patient_postgresql: None) -> Iterator[Database]:
    address = postgres_server.fresh()
    with closing(Database(address)) as database:
        yield database
    postgres_server.drop(address)


def _node(name: str) -> History:
    names = itertools.count(1)
    return History(Mark("first"), lambda: f"{name} {next(names)}", alone=False)


def _lose(history: History) -> None:
    """Let a node know a commit that the database does not contain."""
    history._state = (history.mark.epoch, (1, "site", 10**6))


def test_nodes_that_notice_one_loss_begin_one_epoch(shared: Database) -> None:
    first, second, third = _node("a"), _node("b"), _node("c")
    _lose(first)
    _lose(second)
    with shared.writer.connect() as connection:
        assert first.verify(connection)
        assert second.verify(connection), "it lacks commits, and adopts the epoch"
        assert third.verify(connection), "it lacks none, and adopts the epoch nevertheless"
        for node in (first, second, third):
            assert node.mark.epoch == "a 1"
            assert not node.verify(connection)


def test_a_node_never_adopts_an_earlier_epoch(shared: Database) -> None:
    """A copy from before the last epoch has one that clients have positions in."""
    node = _node("a")
    _lose(node)
    with shared.writer.connect() as connection:
        assert node.verify(connection)
        with connection.begin():  # the database goes back to before that
            connection.execute(update(meta).where(meta.c.key == "epoch").values(value="first"))
            connection.execute(delete(meta).where(meta.c.key == epochs.NUMBER))
        assert node.verify(connection)
        assert node.mark.epoch == "a 2"
        with connection.begin():
            assert epochs.number_of(connection) == 2
        connection.rollback()


async def test_nodes_that_notice_one_loss_at_once_begin_one_epoch(shared: Database) -> None:
    nodes = [_node(name) for name in "abcd"]
    for node in nodes:
        _lose(node)

    def verify(node: History) -> bool:
        address = shared.url.render_as_string(hide_password=False)
        with closing(Database(address)) as own, own.writer.connect() as connection:
            return node.verify(connection)

    assert all(await asyncio.gather(*(asyncio.to_thread(verify, node) for node in nodes)))
    assert len({node.mark.epoch for node in nodes}) == 1


@pytest.mark.parametrize("alone", [True, False])
def test_a_clean_stop_of_one_node_proves_nothing_about_the_others(
    shared: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    mark, _ = epochs.start(shared, tmp_path, epoch="new", run="run", created=False, wanted=False)
    epochs.close(tmp_path, mark)
    monkeypatch.setattr(epochs, "_cluster", lambda connection: "1:00000002")  # another timeline
    _, is_new = epochs.start(shared, tmp_path, epoch="new", run="run", created=False, wanted=False, alone=alone)
    assert is_new is not alone
