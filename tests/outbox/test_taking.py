"""Hubbub takes the rows of the outbox over: once, in order per room, and past those that can't be posted."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from hubbub.clock import Clock
from hubbub.domain.commands import CreateRoom, SendMessage
from hubbub.domain.errors import Forbidden, NotFound, Unavailable
from hubbub.domain.model import Actor
from hubbub.engine import host_outbox
from hubbub.engine.host_outbox import OutboxTaker
from hubbub.outbox import Outbox
from hubbub.outbox.posts import OutboxPost
from hubbub.storage import host_outbox as storage
from hubbub.storage.host_outbox import HostOutbox
from tests.engine.conftest import Store, store_at
from tests.outbox.conftest import ENGINES, psycopg_address, sqlite_path
from tests.outbox.host import Host, host_at
from tests.support import depth
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

DEADLINE = 30.0


class Chat:
    """A journal with rooms named by the host, and the function that posts to them."""

    def __init__(self, store: Store, author: Actor) -> None:
        self.store, self.author = store, author
        self.rooms: dict[str, int] = {}
        self.refuse: dict[str, Exception] = {}
        self.attempts: list[str] = []

    async def open(self, *names: str) -> None:
        for name in names:
            receipt = await self.store.journal.submit(CreateRoom(name=name.replace(":", "-")), self.author)
            self.rooms[name] = receipt.answer["room"].id

    async def post(self, post: OutboxPost) -> None:
        self.attempts.append(post.key)
        if post.text in self.refuse:
            raise self.refuse[post.text]
        if post.room not in self.rooms:
            raise NotFound("The room was not found.")
        await self.store.journal.submit(
            SendMessage(room=self.rooms[post.room], key=post.key, body=post.text), self.author
        )

    def bodies(self, room: str = "order:1") -> list[str]:
        query = f"SELECT body FROM messages WHERE room = {self.rooms[room]} ORDER BY seq"
        return [str(row[0]) for row in self.store.rows(query)]


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with store_at(f"sqlite:///{tmp_path / 'hubbub.db'}") as store:
        found = Chat(store, await store.person("Orders"))
        await found.open("order:1", "order:2")
        yield found


@asynccontextmanager
async def taking(
    host: Host, post: Callable[[OutboxPost], Awaitable[object]], lock: Path | None = None
) -> AsyncIterator[OutboxTaker]:
    taker = OutboxTaker(HostOutbox(host.url, None, lock), post, Clock())
    end = host.outbox.on_post(taker.hint)
    task = asyncio.create_task(taker.run())
    try:
        yield taker
    finally:
        end()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def empty(host: Host) -> None:
    await eventually(lambda: host.waiting() == 0, DEADLINE, "no row waits")


@ENGINES
async def test_posts_become_messages_in_their_order_and_leave_the_table(host: Host, chat: Chat) -> None:
    keys = host.post("one", "two") + host.post("elsewhere", room="order:2") + host.post("three")
    async with taking(host, chat.post) as taker:
        await empty(host)
        assert (chat.bodies(), chat.bodies("order:2")) == (["one", "two", "three"], ["elsewhere"])
        assert host.rows() == []
        stored = chat.store.rows("SELECT key FROM messages")
        assert {row[0] for row in stored} == {*keys}
        await eventually(lambda: taker.counts.posted == 4, DEADLINE, "the rows are counted")
        assert taker.counts.dead == 0


@ENGINES
async def test_what_is_not_committed_is_neither_posted_nor_in_the_way(host: Host, chat: Chat) -> None:
    if (
        host.engine.name == "sqlite"
    ):  # readers of a rollback journal, and its writers, exclude each other only for moments
        with closing(sqlite3.connect(host.url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    async with taking(host, chat.post):
        with host.engine.connect() as connection:
            host.outbox.post(connection, room="order:1", text="open", as_bot="Orders")
            if host.engine.name == "postgresql":  # on SQLite there is one writer at a time
                host.post("committed")
                await eventually(lambda: chat.bodies() == ["committed"], DEADLINE, "the other post is taken over")
            connection.rollback()
        host.post("later")
        await eventually(lambda: chat.bodies()[-1:] == ["later"], DEADLINE, "the next post is taken over")
        await empty(host)
        assert "open" not in chat.bodies()


@ENGINES
async def test_what_cannot_be_posted_is_given_up_with_a_reason_and_the_rest_goes_on(host: Host, chat: Chat) -> None:
    chat.refuse["forbidden"] = Forbidden("This account is closed.")
    chat.refuse["wrong"] = ValueError("the text is wrong\nfor two lines")
    ids = host.post("one", "forbidden", "wrong", "two")
    (unknown,) = host.post("nowhere", room="order:9")
    with host.transaction() as connection:
        connection.execute(text("UPDATE hubbub_outbox SET post = '{' WHERE id = :id"), {"id": ids[0]})
    with capture_logs() as logs:
        async with taking(host, chat.post):
            await empty(host)
            assert chat.bodies() == ["two"]
            assert dict(host.dead()) == {
                ids[0]: "the row is not readable",
                ids[1]: "This account is closed.",
                ids[2]: "the text is wrong\\nfor two lines",
                unknown: "The room was not found.",
            }
            dead = [line for line in logs if line["event"] == "outbox_post_dead"]
            assert {line["id"] for line in dead} == {*ids[:3], unknown}
            assert all(f'outbox.retry(connection, "{line["id"]}")' in line["advice"] for line in dead)
            await chat.open("order:9")
            with host.transaction() as connection:
                assert host.outbox.retry(connection, unknown)
            await empty(host)
            assert chat.bodies("order:9") == ["nowhere"]


@ENGINES
async def test_an_unexpected_error_holds_up_its_own_room_only_and_for_a_few_attempts(
    host: Host, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_outbox, "POLL", 0.05)
    chat.refuse["bug"] = RuntimeError("a bug")
    bug, _ = host.post("bug", "after")
    async with taking(host, chat.post):
        await eventually(lambda: bug in chat.attempts, DEADLINE, "the post is tried")
        host.post("elsewhere", room="order:2")
        await eventually(lambda: chat.bodies("order:2") == ["elsewhere"], DEADLINE, "the other room goes on")
        await empty(host)
    assert chat.attempts.count(bug) == host_outbox.MOST_BUGS
    assert chat.bodies() == ["after"]
    assert dict(host.dead()) == {bug: "unexpected error: RuntimeError('a bug')"}


@ENGINES
async def test_a_post_that_fails_for_now_keeps_the_order_of_its_room(host: Host, chat: Chat) -> None:
    chat.refuse["two"] = Unavailable()
    ids = host.post("one", "two", "three")
    async with taking(host, chat.post):
        await eventually(lambda: chat.attempts.count(ids[1]) >= 3, DEADLINE, "the post is tried again")
        assert chat.bodies() == ["one"]
        assert ids[2] not in chat.attempts
        del chat.refuse["two"]
        await empty(host)
    assert chat.bodies() == ["one", "two", "three"]
    assert chat.attempts.count(ids[0]) == 1, "what was posted is deleted, also before a failure"


@ENGINES
async def test_the_oldest_posts_that_were_given_up_are_deleted_when_there_are_too_many(
    host: Host, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MOST_DEAD", 3)
    ids = host.post("1", "2", "3", "4", "5", room="order:9")
    with capture_logs() as logs:
        async with taking(host, chat.post):
            await eventually(
                lambda: [line["count"] for line in logs if line["event"] == "outbox_dead_forgotten"] == [2],
                DEADLINE,
                "the oldest ones are deleted",
            )
    assert [key for key, _ in host.dead()] == ids[:1:-1]


@ENGINES
async def test_a_missing_table_is_named_and_found_when_it_was_created(host: Host, chat: Chat) -> None:
    with host.transaction() as connection:
        connection.execute(text("DROP TABLE hubbub_outbox"))
    with capture_logs() as logs:
        async with taking(host, chat.post):
            await eventually(
                lambda: [line for line in logs if "outbox.create_table" in line.get("advice", "")],
                DEADLINE,
                "it is logged",
            )
            with host.transaction() as connection:
                host.outbox.create_table(connection)
            host.post("one")
            await eventually(lambda: chat.bodies() == ["one"], DEADLINE, "it is taken over")


async def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "absent.db"
    table = HostOutbox(f"sqlite:///{path}", None, None)
    with pytest.raises(Unavailable):
        table.read(1)
    table.close()
    assert not path.exists()


@pytest.mark.parametrize("address", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql+pymysql://a/b"])
def test_an_address_that_leads_to_no_shared_database_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        HostOutbox(address, None, None)


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_database_that_restarts_loses_nothing(host: Host, chat: Chat, postgres_server: Postgres) -> None:
    async with taking(host, chat.post) as taker:
        host.post("before")
        await eventually(lambda: chat.bodies() == ["before"], DEADLINE, "it is taken over")
        await asyncio.to_thread(postgres_server.crash)
        await eventually(lambda: taker.counts.failures > 1, DEADLINE, "the outage is noticed")
        await asyncio.to_thread(postgres_server.start)
        host.post("after")
        await eventually(lambda: chat.bodies() == ["before", "after"], DEADLINE, "it is taken over")
        await empty(host)


@ENGINES
async def test_several_takers_at_once_neither_repeat_nor_reorder(
    host: Host, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks, as if each of them had taken over from one that stood still."""
    monkeypatch.setattr(host_outbox, "BATCH", 7)
    rooms = ["order:1", "order:2"]
    async with taking(host, chat.post), taking(host, chat.post), taking(host, chat.post):
        for number in range(100):
            await asyncio.to_thread(host.post, str(number), room=rooms[number % 2])
        await empty(host)
    assert len(chat.attempts) > 100, "takers have tried the same rows"
    assert [chat.bodies(room) for room in rooms] == [[str(n) for n in range(i, 100, 2)] for i in (0, 1)]


@ENGINES
async def test_one_of_several_processes_takes_over_and_another_one_when_it_ends(
    host: Host, chat: Chat, tmp_path: Path
) -> None:
    lock = tmp_path / "outbox.lock"
    by: list[int] = []

    def poster(number: int) -> Callable[[OutboxPost], Awaitable[None]]:
        async def post(each: OutboxPost) -> None:
            by.append(number)
            await chat.post(each)

        return post

    async with taking(host, poster(2), lock):
        async with taking(host, poster(1), lock) as first:
            for number in range(20):
                host.post(str(number))
            await empty(host)
            assert len({*by}) == 1
            owner = by[0]
        if owner == 2:
            assert first.counts.posted == 0
        host.post("last")
        await empty(host)
        assert by[-1] == 2
    assert chat.bodies() == [*map(str, range(20)), "last"]


@ENGINES
async def test_rows_that_the_owner_of_the_lock_leaves_are_taken_by_another_process(
    host: Host, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_outbox, "PATIENCE", 0.5)
    silent = HostOutbox(host.url, None, tmp_path / "outbox.lock")
    assert silent.own()
    host.post("one")
    async with taking(host, chat.post, tmp_path / "outbox.lock"):
        await eventually(lambda: chat.bodies() == ["one"], DEADLINE, "another process takes it over")
        await empty(host)
    silent.close()


async def test_a_post_of_this_process_is_found_without_waiting_for_the_next_poll(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_outbox, "POLL", 10 * DEADLINE)
    with host_at(f"sqlite:///{tmp_path / 'host.db'}") as host:
        async with taking(host, chat.post):
            await asyncio.to_thread(host.post, "one")
            await eventually(lambda: chat.bodies() == ["one"], DEADLINE, "the hint is enough")


@ENGINES
async def test_a_post_of_another_process_is_found_by_polling(host: Host, chat: Chat) -> None:
    async with taking(host, chat.post):
        with host.transaction() as connection:
            Outbox().post(connection, room="order:1", text="one")  # an outbox without a hint
        await eventually(lambda: chat.bodies() == ["one"], DEADLINE, "polling finds it")


@ENGINES
async def test_the_host_does_not_wait_while_a_post_is_on_its_way(host: Host, chat: Chat) -> None:
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def slow(post: OutboxPost) -> None:
        under_way.set()
        await go_on.wait()
        await chat.post(post)

    host.post("one")
    async with taking(host, slow):
        await asyncio.wait_for(under_way.wait(), DEADLINE)
        if host.engine.name == "postgresql":
            exclusive(host)
        with closing(connect_impatient(host)) as connection:
            host.outbox.post(connection, room="order:1", text="two")
            connection.commit()
        go_on.set()
        await empty(host)
    assert chat.bodies() == ["one", "two"]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_control_an_open_transaction_that_has_read_the_table_is_noticed(host: Host) -> None:
    with host.transaction() as connection:
        host.outbox.dead(connection)
        with pytest.raises(OperationalError, match="could not obtain lock"):
            exclusive(host)


def exclusive(host: Host) -> None:
    """Lock the whole table, which fails at once if a transaction that has read it is open."""
    with host.transaction() as connection:
        connection.execute(text("LOCK TABLE hubbub_outbox IN ACCESS EXCLUSIVE MODE NOWAIT"))


def connect_impatient(host: Host) -> Any:
    """Return a driver's connection that never waits for a lock."""
    if host.engine.name == "sqlite":
        return sqlite3.connect(sqlite_path(host.url), timeout=0)
    return psycopg.connect(psycopg_address(host.url), options="-c lock_timeout=1ms")


@pytest.mark.parametrize("mode", ["delete", "wal"])
async def test_a_host_on_sqlite_writes_while_its_posts_are_taken_over(tmp_path: Path, chat: Chat, mode: str) -> None:
    path = tmp_path / "host.db"
    with host_at(f"sqlite:///{path}") as host, closing(sqlite3.connect(path)) as other:
        assert other.execute(f"PRAGMA journal_mode={mode}").fetchone() == (mode,)

        def write(first: int) -> None:
            with closing(sqlite3.connect(path)) as connection:
                for number in range(first, first + 50):
                    connection.execute("INSERT INTO orders (id, text) VALUES (?, 'a')", [number])
                    host.outbox.post(connection, room="order:1", text=str(number))
                    connection.commit()

        async with taking(host, chat.post):
            await asyncio.gather(asyncio.to_thread(write, 0), asyncio.to_thread(write, 1_000))
            await empty(host)
        assert other.execute("PRAGMA journal_mode").fetchone() == (mode,), "the host decides on the mode"
    posted = [int(body) for body in chat.bodies()]
    for first in (0, 1_000):
        assert [number for number in posted if first <= number < first + 1_000] == [*range(first, first + 50)]


@ENGINES
async def test_posts_of_concurrent_transactions_keep_the_order_of_each_writer_in_each_room(
    host: Host, chat: Chat
) -> None:
    rooms, writers, count = ["order:1", "order:2"], 4, depth.rounds("posts of each writer", short=40, long=2_500)

    def write(writer: int) -> None:
        engine = create_engine(host.url, connect_args={"timeout": 60} if host.engine.name == "sqlite" else {})
        with engine.connect() as connection:
            for number in range(count):
                host.outbox.post(connection, room=rooms[number % 2], text=f"{writer} {number}")
                connection.commit()
        engine.dispose()

    async with taking(host, chat.post):
        await asyncio.gather(*(asyncio.to_thread(write, writer) for writer in range(writers)))
        await eventually(lambda: host.waiting() == 0, 40 * DEADLINE, "no row waits", every=0.2)
    posted = [[tuple(map(int, body.split())) for body in chat.bodies(room)] for room in rooms]
    assert sum(map(len, posted)) == writers * count
    for index, bodies in enumerate(posted):
        for writer in range(writers):
            assert [number for by, number in bodies if by == writer] == [*range(index, count, 2)]
