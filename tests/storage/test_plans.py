"""No periodic statement and none of the hot path reads a whole table, on either database.

The statements are recorded while commands and queries run on large tables, and then explained.
PostgreSQL prefers to read a table of some thousand rows as a whole, also where it has an index. So
it explains them as if that were expensive: a whole table that is left in a plan has no index.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, insert, text

from hubbub.domain.commands import (
    AddReaction,
    Command,
    MessagePage,
    Prune,
    ReadRoom,
    RemoveReaction,
    RevokeSessions,
    SendMessage,
    TouchSession,
    TrimTopic,
)
from hubbub.domain.model import SYSTEM, Actor, Role, room_topic
from hubbub.engine import housekeeping
from hubbub.features import HANDLERS, accounts, messages, sessions, sync
from hubbub.storage import log, migrate
from hubbub.storage.database import Database
from hubbub.storage.ids import Ids
from hubbub.storage.postgresql import BY_KEY
from hubbub.storage.schema import metadata
from hubbub.storage.transaction import Transaction
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
DAY = 86_400_000
USERS, ROOMS, BUSY, MESSAGES, OTHERS = 6_000, 6_000, 300, 12_000, 4_000
"""Only the first BUSY rooms have messages, the next ones other events."""
ALICE = 1_000
ROOM = 100_000
HASH = "a" * 64
OWNERS = {
    "topics": {"topic"}, "log": {"topic"}, "messages": {"room"}, "edits": {"room"}, "pins": {"room"},
    "reactions": {"room"}, "mentions": {"room"}, "members": {"room", "user"}, "participants": {"room"},
    "rooms": {"id", "rowid"}, "users": {"id", "rowid", "skeleton"}, "sessions": {"id", "token_hash"},
    "statuses": {"user", "rowid"}, "identities": {"issuer", "user"}, "meta": {"key"}, "answers": {"author"},
}  # fmt: skip
"""By which columns the hot path may search a table: the room, the topic or the user it is about, or
the credential. `rowid` is SQLite's name of a single numeric key. The rooms of a user are found by
the user, across rooms: once for each connection, not for each message."""
ONE_ROW_EACH = {"rows", "wanted", "fresh", "target", "walk", "ranked", "given", "own", "common", "after", "CONSTANT"}
"""Names that are no tables: parameters with many rows, and parts of statements."""


@dataclass
class Store:
    database: Database
    alice: Actor
    recorded: list[tuple[Engine, str, Any]] = field(default_factory=list)

    def read(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.reader.connect() as connection, connection.begin(), self._recording(connection):
            return query(connection, *args, **kwargs)

    def do(self, command: Command, actor: Actor | None = None) -> Any:
        """Run a command in a transaction of its own, as the journal does."""
        who = actor or self.alice
        with self.database.writer.connect() as connection:
            ids = Ids.load(connection)
            connection.commit()
            with connection.begin(), self._recording(connection):
                ids.tick(NOW)
                tx = Transaction(connection, ids, NOW)
                tx.lock(command.topics(who))
                (result,) = HANDLERS[type(command)]([(command, who)], tx)
                tx.flush()
        if isinstance(result, Exception):
            raise result
        return result

    @contextmanager
    def _recording(self, connection: Connection) -> Iterator[None]:
        driver, engine = connection.connection.driver_connection, connection.engine
        if self.database.is_sqlite:
            driver.set_trace_callback(lambda statement: self.recorded.append((engine, statement, None)))  # type: ignore[union-attr]
            yield
            driver.set_trace_callback(None)  # type: ignore[union-attr]
            return
        recorded = self.recorded

        class Recording(psycopg.Cursor[Any]):
            def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
                recorded.append((engine, str(query), params))
                return super().execute(query, params, **more)

            def executemany(self, query: Any, params_seq: Any, **more: Any) -> None:
                given = list(params_seq)
                recorded.append((engine, str(query), given[0]))
                super().executemany(query, given, **more)

        usual = driver.cursor_factory  # type: ignore[union-attr]
        driver.cursor_factory = Recording  # type: ignore[union-attr]
        yield
        driver.cursor_factory = usual  # type: ignore[union-attr]

    def plans(self) -> dict[str, list[str]]:
        """Return the steps of the plan of each recorded statement that reads or changes rows."""
        found: dict[str, list[str]] = {}
        for engine, statement, values in self.recorded:
            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement):
                with engine.connect() as connection:
                    found[statement] = self._plan(connection, statement, values)
                    connection.rollback()
        return found

    def _plan(self, connection: Connection, statement: str, values: Any) -> list[str]:
        if self.database.is_sqlite:
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
        driver = connection.connection.driver_connection
        with driver.cursor() as cursor:  # type: ignore[union-attr]
            for setting in BY_KEY:
                cursor.execute(f"SET LOCAL {setting} = off")
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            (answer,) = cursor.fetchone()
        plan = answer if isinstance(answer, list) else json.loads(answer)
        return list(_steps(plan[0]["Plan"]))

    def scans(self) -> list[str]:
        """Return the steps that read a whole table, with their statements."""
        return [f"{step}\n{statement}" for statement, plan in self.plans().items() for step in plan if _is_scan(step)]


def _steps(node: dict[str, Any], parent: str = "") -> Iterator[str]:
    if "Relation Name" in node:
        first = parent == "Limit" and "Filter" not in node  # the first rows of an index
        condition = node.get("Index Cond", "(the first)" if first else "")
        yield f"{node['Node Type']} {node['Relation Name']} {condition}"
    for child in node.get("Plans", []):
        yield from _steps(child, node["Node Type"])


def _is_scan(step: str) -> bool:
    if step.startswith("Seq Scan"):
        return step.split()[2] in metadata.tables
    if step.startswith("Index") and "Scan" in step and not step.endswith(")"):
        return True  # the whole index, in its order
    found = re.match(r"SCAN (\w+)", step)
    return found is not None and found[1] not in ONE_ROW_EACH and not re.match(r"SCAN \(", step)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    address = f"sqlite:///{tmp_path / 'hubbub.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.empty()
    with filled(address) as made:
        yield made


@contextmanager
def filled(address: str) -> Iterator[Store]:
    with closing(Database(address)) as database:
        migrate.upgrade(database, epoch="first", now=NOW)
        with database.migrating() as connection:
            for name, made in large().items():
                connection.execute(insert(metadata.tables[name]), made)
            connection.execute(text("ANALYZE"))
            connection.commit()
        yield Store(database, Actor(ALICE, "user0", Role.MEMBER, session="session0"))


def large() -> dict[str, list[dict[str, Any]]]:
    """Return many rows for all tables that the hot path and housekeeping read."""
    users, rooms = range(ALICE, ALICE + USERS), range(ROOM, ROOM + ROOMS)
    places = [(room, ALICE + 1 + room % 40 + 997 * number) for room in rooms for number in range(6)]
    places += [(room, ALICE) for room in rooms if room < ROOM + 10 or room % 30 == 0]
    said = [(ROOM + n % BUSY, n // BUSY + 3, ALICE + n % USERS) for n in range(MESSAGES)]
    newest = MESSAGES // BUSY + 2
    return {
        "users": [
            {"id": user, "name": f"user{user - ALICE}", "skeleton": f"user{user - ALICE}", "disabled": False,
             "role": "guest" if user % 100 == 7 else "member", "created_at": NOW - user * 1_000}
            for user in users
        ],
        "rooms": [
            {"id": room, "kind": "direct" if room % 9 == 5 else "private", "name": "", "created_at": NOW,
             "members": 30, "direct_key": f"{room}" if room % 9 == 5 else None, "created_by": ALICE}
            for room in rooms
        ],
        "participants": [{"room": room, "user": ALICE + n} for room in rooms if room % 9 == 5 for n in (0, 1)],
        "members": [
            {"room": room, "user": user, "role": "member", "joined_seq": 1, "joined_at": NOW, "read_seq": 2,
             "read_n": 0}
            for room, user in places
        ],
        "topics": [
            *({"topic": room_topic(room), "head": newest, "floor": 2, "n": MESSAGES // BUSY} for room in rooms),
            *({"topic": f"user:{user}", "head": 1, "floor": 0, "n": 0} for user in users),
        ],
        "messages": [
            {"id": 10_000 + n, "room": room, "seq": seq, "n": seq - 2, "at": NOW, "author": author, "key": f"k{n}",
             "digest": 1, "body": "hello", "reply_to": seq - 1 if seq % 10 == 5 else None}
            for n, (room, seq, author) in enumerate(said)
        ],
        "log": [
            {"tx": 100_000 + n, "topic": room_topic(room + BUSY), "seq": seq, "type": "member.joined", "text": "{}",
             "at": NOW - (90 * DAY if n < MESSAGES // 9 else 0)}
            for n, (room, seq, _) in enumerate(said)
        ],
        "reactions": [
            {"room": room, "seq": seq, "emoji": "👍", "user": author, "added_seq": newest, "first_seq": newest + 0}
            for room, seq, author in said if seq < newest and seq % 2
        ],
        "mentions": [
            {"user": ALICE + seq % 50, "room": room, "seq": seq, "author": author} for room, seq, author in said
            if seq % 2
        ],
        "pins": [
            {"room": room, "seq": seq, "pinned_seq": newest, "by": ALICE, "at": NOW} for room, seq, _ in said
            if seq < newest and seq % 7 == 0
        ],
        "sessions": [
            {"id": f"session{n}", "user": ALICE + n % USERS, "browser": n % 2 == 1,
             "token_hash": f"{n:064}" if n % 2 else None, "generation": 0, "rotated_at": NOW, "client": "",
             "created_at": NOW, "last_seen_at": NOW, "expires_at": NOW + (n - 100) * 1_000}
            for n in range(OTHERS)
        ],
        "invites": [
            {"id": f"i{n}", "token_hash": f"h{n}", "uses": n % 2, "max_uses": 1, "created_by": ALICE,
             "created_at": NOW - n, "used_at": NOW - n if n % 2 else None, "expires_at": NOW + n}
            for n in range(OTHERS)
        ],
        "links": [
            {"token_hash": f"h{n}", "purpose": "reset", "user": ALICE + n % USERS, "created_at": NOW,
             "expires_at": NOW + n}
            for n in range(OTHERS)
        ],
        "answers": [
            {"author": ALICE + n % USERS, "kind": "room.create", "key": f"{n}", "hash": "h", "answer": "{}",
             "created_at": NOW - n}
            for n in range(OTHERS)
        ],
        "identities": [
            {"issuer": "i", "subject": f"{user}", "user": user, "name": "", "revoked": 0} for user in users
        ],
        "statuses": [{"user": user, "status": "dnd", "text": ""} for user in users if user % 2],
    }  # fmt: skip


def run_hot_path(store: Store) -> None:
    """Send, read, react, authenticate, subscribe, catch up, and read history."""
    assert store.do(ReadRoom(room=ROOM + 1, seq=20)) != {}
    for key, body in (("new", "hello"), ("mention", "hello @user0 @user97"), ("long", "x" * 3_000)):
        store.do(SendMessage(room=ROOM + 1, key=key, body=body, reply_to=5))
    assert store.do(AddReaction(room=ROOM + 1, message=5, emoji="🎉")) != {}
    store.do(RemoveReaction(room=ROOM + 1, message=5, emoji="🎉"))
    store.do(TouchSession(user=ALICE, session="session0", idle=DAY, longest=DAY))
    for reference in ("session500", f"{501:064}"):
        assert store.read(sessions.resolve, reference, NOW) is not None
    store.read(sessions.resolve, f"host:{ALICE}:0", NOW)
    store.read(sessions.resolve, "guest:1007", NOW)
    have = {room_topic(ROOM + 1): 10, room_topic(ROOM + 2): 3}
    found = store.read(sync.snapshot, ALICE, site=True, epoch=None, have=have, now=NOW)
    assert len(found.rooms) > 200
    assert len(found.missing) == 2
    store.read(log.since, room_topic(ROOM + 1), 5, 200)
    for window in ({}, {"before": 30}, {"after": 10}, {"around": 20}):
        page = store.read(messages.page, ALICE, MessagePage(room=ROOM + 1, **window))
        assert page["messages"]
    assert page["quotes"]


def run_housekeeping(store: Store) -> None:
    """Run what `engine.housekeeping` runs every hour.

    `log.newest` reads a row of each topic, but only once, at the start of the server.
    """
    topics, _ = store.read(log.trimmable, NOW - 30 * DAY)
    assert topics
    assert store.do(TrimTopic(topic=topics[0], before=NOW - 30 * DAY), SYSTEM)["gone"] > 0
    expired = store.read(sessions.expired, NOW)
    assert expired
    user, session = expired[0]
    store.do(RevokeSessions(session=session), Actor(user, "", Role.MEMBER, session=session, system=True))
    assert store.read(accounts.open_guests, NOW)
    for what in housekeeping.KEPT:
        assert store.do(Prune(what=what, before=NOW, limit=10), SYSTEM)["gone"] == 0 or what != "tokens"


def test_no_statement_of_the_hot_path_reads_a_whole_table(store: Store) -> None:
    run_hot_path(store)
    assert len(store.plans()) > 25
    assert store.scans() == []


def test_no_statement_of_housekeeping_reads_a_whole_table(store: Store) -> None:
    run_housekeeping(store)
    assert len(store.plans()) > 12
    assert store.scans() == []


INDEXES = ["sessions_expires", "answers_created", "invites_expires", "invites_used_up", "links_expires", "users_guests"]


def test_housekeeping_without_its_indexes_reads_whole_tables(store: Store) -> None:
    """The negative control: each of the indexes is needed."""
    for index in INDEXES:
        table = next(table for table in metadata.sorted_tables if index in {each.name for each in table.indexes})
        with store.database.writer.begin() as connection:
            connection.execute(text(f"DROP INDEX {index}"))
            if index == "users_guests":  # PostgreSQL would read the whole of this one, which has the role too
                connection.execute(text("DROP INDEX users_search_key"))
        for engine in (store.database.reader, store.database.writer):
            engine.dispose()  # SQLite would explain by the schema at the first time
        store.recorded.clear()
        run_housekeeping(store)
        assert any(table.name in scan.partition("\n")[0] for scan in store.scans()), index


def test_statements_of_the_hot_path_search_by_room_topic_or_user(tmp_path: Path) -> None:
    """So that tables can be distributed by room and user over several machines.

    SQLite's plans name the columns. The statements are the same on both databases.
    """
    with filled(f"sqlite:///{tmp_path / 'hubbub.db'}") as store:
        run_hot_path(store)
        plans = store.plans()
    searched: set[str] = set()
    for statement, plan in plans.items():
        for step in plan:
            found = re.match(r"SEARCH (\w+) .*\((.+)\)", step)
            if found is None or found[1] in ONE_ROW_EACH:
                continue
            columns = set(re.findall(r"(\w+)=", found[2]))
            alias = re.search(rf'"?(\w+)"? AS "?{found[1]}\b', statement)
            name = found[1] if found[1] in metadata.tables or alias is None else alias[1]
            assert columns & OWNERS[name], f"{step}\n{statement}"
            searched.add(name)
    assert searched >= {"topics", "log", "messages", "members", "reactions", "mentions", "sessions", "rooms", "users"}
