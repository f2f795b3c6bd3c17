"""The host application writes the outbox with its own connections, in its own transactions."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.rows import dict_row
from sqlalchemy import MetaData, NullPool, create_engine, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from hubbub.domain.identities import Identity
from hubbub.domain.text import MAX_BODY_CHARACTERS, MAX_INVITED
from hubbub.outbox import Outbox
from hubbub.outbox.posts import LONGEST_NAME, HostUser, OutboxPost, Unreadable
from tests.outbox.conftest import ENGINES, psycopg_address, sqlite_path
from tests.outbox.host import Host

Using = Callable[[Host], Any]
ORDER = "INSERT INTO orders (id, text) VALUES (1, 'a book')"


@contextmanager
def a_session(host: Host) -> Iterator[Any]:
    with Session(host.engine) as session:
        yield session


@contextmanager
def a_scoped_session(host: Host) -> Iterator[Any]:
    session = scoped_session(sessionmaker(host.engine))
    yield session
    session.remove()


@contextmanager
def a_connection(host: Host) -> Iterator[Any]:
    with host.engine.connect() as connection:
        yield connection


@contextmanager
def a_driver_connection(host: Host) -> Iterator[Any]:
    if host.engine.name == "sqlite":
        with closing(sqlite3.connect(sqlite_path(host.url))) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
    else:
        with psycopg.connect(psycopg_address(host.url), row_factory=dict_row) as connection:
            yield connection


KINDS = pytest.mark.parametrize("using", [a_session, a_scoped_session, a_connection, a_driver_connection])


def execute(connection: Any, statement: str) -> None:
    module = type(connection).__module__
    connection.execute(text(statement) if module.startswith("sqlalchemy") else statement)


def counts(host: Host) -> tuple[int, int]:
    """Return how many orders and how many posts there are."""
    return int(host.rows("SELECT count(*) FROM orders")[0][0]), len(host.rows())


@ENGINES
@KINDS
def test_a_post_exists_if_and_only_if_the_transaction_commits(host: Host, using: Using) -> None:
    with using(host) as connection:
        execute(connection, ORDER)
        host.outbox.post(connection, room="order:1", text="Order received: „Bücher“ :x %s ?", as_bot="Orders")
        connection.rollback()
    assert counts(host) == (0, 0)
    with using(host) as connection:
        execute(connection, ORDER)
        key = host.outbox.post(connection, room="order:1", text="Order received: „Bücher“ :x %s ?", as_bot="Orders")
        assert counts(host) == (0, 0), "others see it after the commit only"
        connection.commit()
    assert counts(host) == (1, 1)
    (row,) = host.rows()
    post = OutboxPost.read(*row)
    assert post == OutboxPost(key, "order:1", "Order received: „Bücher“ :x %s ?", "Orders")


@ENGINES
@KINDS
def test_posts_that_were_given_up_are_listed_retried_and_discarded_in_a_transaction(host: Host, using: Using) -> None:
    first, second = host.post("one", "two")
    with host.transaction() as connection:
        connection.execute(text("UPDATE hubbub_outbox SET dead_at = 5, reason = 'no such room'"))
    with using(host) as connection:
        assert [each.id for each in host.outbox.dead(connection)] == [second, first]
        assert [each.id for each in host.outbox.dead(connection, limit=1)] == [second]
        assert host.outbox.dead(connection)[0].reason == "no such room"
        assert host.outbox.retry(connection, first)
        connection.rollback()
    assert host.waiting() == 0
    with using(host) as connection:
        assert host.outbox.retry(connection, first)
        assert not host.outbox.retry(connection, first), "it waits already"
        assert host.outbox.discard(connection, second)
        assert not host.outbox.discard(connection, first), "it is not dead"
        connection.commit()
    assert [row[0] for row in host.rows("SELECT id FROM hubbub_outbox WHERE dead_at IS NULL")] == [first]
    assert host.dead() == []


@ENGINES
def test_a_savepoint_that_is_rolled_back_takes_its_post_with_it(host: Host) -> None:
    with Session(host.engine) as session:
        host.outbox.post(session, room="a", text="kept", as_bot="Orders")
        savepoint = session.begin_nested()
        host.outbox.post(session, room="a", text="undone", as_bot="Orders")
        savepoint.rollback()
        session.commit()
    assert [OutboxPost.read(*row).text for row in host.rows()] == ["kept"]


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("kind", ["session", "connection", "psycopg"])
async def test_an_async_transaction_posts(host: Host, kind: str) -> None:
    engine = create_async_engine(host.url, poolclass=NullPool)

    async def during(work: Callable[[Any], Awaitable[None]]) -> None:
        if kind == "psycopg":
            async with await psycopg.AsyncConnection.connect(psycopg_address(host.url)) as connection:
                await work(connection)
            return
        async with AsyncSession(engine) if kind == "session" else AsyncConnection(engine) as found:
            await work(found)

    async def post(connection: Any, *, commit: bool) -> None:
        await host.outbox.post_async(connection, room="a", text=f"commit: {commit}", as_user=("app", "7"))
        await (connection.commit() if commit else connection.rollback())

    await during(lambda connection: post(connection, commit=False))
    await during(lambda connection: post(connection, commit=True))
    assert [OutboxPost.read(*row) for row in host.rows()] == [
        OutboxPost(host.rows()[0][0], "a", "commit: True", user=HostUser("app", "7"))
    ]
    with pytest.raises(TypeError, match="post_async"):
        await during(lambda connection: asyncio.to_thread(host.outbox.post, connection, room="a", text="b", as_bot="c"))  # type: ignore[arg-type]
    await engine.dispose()


@ENGINES
def test_posts_of_one_transaction_keep_their_order_and_ids_are_never_equal(host: Host) -> None:
    keys = host.post(*(f"{number}" for number in range(50)))
    assert [row[0] for row in host.rows()] == keys
    with host.transaction() as connection:
        connection.execute(text("DELETE FROM hubbub_outbox"))
    assert not {*keys} & {*host.post("again")}


WRONG: dict[str, dict[str, Any]] = {
    "an empty text": {"text": "  "},
    "a text that is too long": {"text": "x" * (MAX_BODY_CHARACTERS + 1)},
    "a text with too many bytes": {"text": "😀" * (MAX_BODY_CHARACTERS - 1)},
    "a text with U+0000": {"text": "a\0b"},
    "a text with a lone surrogate": {"text": "\ud800"},
    "no text": {"text": None},
    "an empty room": {"room": ""},
    "a room that is too long": {"room": "r" * (LONGEST_NAME + 1)},
    "a room with U+0000": {"room": "a\0"},
    "members without a name of the room": {"members": [("app", "1")]},
    "a room name that is too long": {"room_name": "r" * (LONGEST_NAME + 1)},
    "too many members": {"room_name": "r", "members": [("app", str(n)) for n in range(MAX_INVITED + 1)]},
    "a member without a subject": {"room_name": "r", "members": [("app",)]},
    "two authors": {"as_user": ("app", "1")},
    "a bot without a name": {"as_bot": ""},
    "a bot with a name that is too long": {"as_bot": "b" * (LONGEST_NAME + 1)},
    "a user without an issuer": {"as_bot": None, "as_user": ("", "1")},
    "a user as a text": {"as_bot": None, "as_user": "ab"},
    "a user with a subject that is too long": {"as_bot": None, "as_user": ("app", "1" * (LONGEST_NAME + 1))},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_could_never_be_posted_is_refused_at_once(wrong: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        outbox = Outbox()
        outbox.create_table(connection)
        with pytest.raises(ValueError, match=r"text|room|bot|user|issuer|subject|members"):
            outbox.post(connection, **{"room": "r", "text": "hello", "as_bot": "Orders", **WRONG[wrong]})
        assert connection.execute("SELECT count(*) FROM hubbub_outbox").fetchone() == (0,)
        longest: dict[str, Any] = {"text": "x" * MAX_BODY_CHARACTERS, "as_bot": "b" * LONGEST_NAME}
        members = [("app", str(n)) for n in range(MAX_INVITED)]
        outbox.post(connection, room="r" * LONGEST_NAME, room_name="r" * LONGEST_NAME, members=members, **longest)


def test_users_with_a_name_are_stored_with_it() -> None:
    ada = Identity("app", "1", "Ada", "admin")
    with closing(sqlite3.connect(":memory:")) as connection:
        outbox = Outbox()
        outbox.create_table(connection)
        outbox.post(connection, room="r", text="hello", as_user=ada, room_name="Order 1", members=[ada, ("app", "2")])
        outbox.post(connection, room="r", text="by the host's own bot")
        first, second = [
            OutboxPost.read(*row) for row in connection.execute("SELECT id, room, post FROM hubbub_outbox ORDER BY seq")
        ]
    stored = HostUser("app", "1", "Ada", "admin")
    assert first == OutboxPost(
        first.key, "r", "hello", user=stored, room_name="Order 1", members=(stored, HostUser("app", "2"))
    )
    assert (second.bot, second.user, second.room_name) == (None, None, None)


@pytest.mark.parametrize("wrong", [None, "sqlite:///a.db", object(), create_engine("sqlite://")])
def test_another_object_than_a_connection_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="an outbox needs a Session"):
        Outbox().post(wrong, room="r", text="hello", as_bot="Orders")


@pytest.mark.parametrize("schema", ['a"b', "", "a b", "a" * 64, "1a"])
def test_a_schema_that_is_no_plain_name_is_refused(schema: str) -> None:
    with pytest.raises(ValueError, match="schema"):
        Outbox(schema=schema)


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", "7", '{"v": 2, "text": "a", "bot": "b"}', '{"v": 1}', '{"v": 1, "text": "a", "user": 7}']
)
def test_a_row_that_is_not_readable_says_so(stored: str) -> None:
    with pytest.raises(Unreadable, match="row"):
        OutboxPost.read("k", "r", stored)


@ENGINES
def test_the_table_of_sqlalchemy_and_the_sql_are_the_same(host: Host) -> None:
    metadata = MetaData()
    host.outbox.table(metadata)
    with host.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name == "hubbub_outbox"}
        )
        assert compare_metadata(context, metadata) == []
        written = described(connection)
        connection.execute(text("DROP TABLE hubbub_outbox"))
        metadata.create_all(connection)
        assert described(connection) == written
        key = host.outbox.post(connection, room="a", text="b", as_bot="c")
        assert connection.execute(text("SELECT id FROM hubbub_outbox")).scalar() == key


def described(connection: Any) -> list[Any]:
    found = inspect(connection)
    columns = [(each["name"], str(each["type"]), each["nullable"]) for each in found.get_columns("hubbub_outbox")]
    indexes = sorted((each["name"] or "", each["column_names"]) for each in found.get_indexes("hubbub_outbox"))
    return [columns, indexes, found.get_pk_constraint("hubbub_outbox")["constrained_columns"]]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_schema_of_its_own_holds_the_table(host: Host) -> None:
    outbox = Outbox(schema="shop")
    with host.transaction() as connection:
        connection.execute(text("CREATE SCHEMA shop"))
        outbox.create_table(connection)
        outbox.post(connection, room="a", text="b", as_bot="c")
        assert connection.execute(text("SELECT count(*) FROM shop.hubbub_outbox")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM public.hubbub_outbox")).scalar() == 0
    table = outbox.table(MetaData(schema="other"))
    assert (table.schema, Outbox().table(MetaData(schema="other")).schema) == ("shop", None)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_printed_sql_creates_the_table_twice_without_harm(kind: Any) -> None:
    sql = Outbox().create_sql(kind)
    assert sql.count("IF NOT EXISTS") == sql.count(";\n") == 3
    if kind == "sqlite":
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(sql + sql)


def test_a_program_that_only_posts_imports_neither_the_server_nor_sqlalchemy() -> None:
    script = """
import sqlite3, sys
from hubbub.outbox import Outbox
connection, outbox = sqlite3.connect(":memory:"), Outbox()
outbox.create_table(connection)
outbox.post(connection, room="a", text="b", as_bot="c")
outbox.dead(connection)
wrong = {"sqlalchemy", "fastapi", "starlette", "structlog", "uvicorn", "psycopg", "alembic", "asyncio"}
assert not wrong & {name.partition(".")[0] for name in sys.modules}, wrong & {*sys.modules}
print(*sorted(name for name in sys.modules if name.startswith("hubbub.")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert {name.split(".")[1] for name in done.stdout.split()} == {"outbox", "domain", "version"}
