"""A database of revision 0004 shows its users the same after the upgrade, whatever interrupts that.

`data/revision_0004.zip` is a backup that the code of revision 0004 made, `data/revision_0004.json.gz`
has what its users read: pages, edit histories and events. Messages were edited, deleted, forwarded,
mentioned users, and were trimmed from the log, before and after a member joined.
"""

import gzip
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, event, text

from hubbub.domain.commands import DeleteMessage, EventsSince, MessagePage, SendMessage
from hubbub.domain.errors import Conflict
from hubbub.domain.model import Actor, Role, room_topic
from hubbub.engine.batch import Receipt
from hubbub.features import edits, messages, sync
from hubbub.storage import backup, backup_format, log, migrate, restore
from hubbub.storage.database import Database
from tests.backup.content import put_back
from tests.engine.conftest import store_at
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
DATA = Path(__file__).parent / "data"
BACKUP = DATA / "revision_0004.zip"
SEEN: dict[str, Any] = json.loads(gzip.decompress((DATA / "revision_0004.json.gz").read_bytes()))
STEPS = range(1, 200)


def loaded(address: str) -> Database:
    """Return a database of revision 0004 with the rows of the backup."""
    database = Database(address)
    with database.migrating() as connection, backup_format.opened(BACKUP) as reader:
        migrate.run_steps(connection, "0004")
        for table in backup.reflected(connection).sorted_tables:
            if table.name in reader.manifest.tables:
                connection.execute(table.delete())
                restore._load(connection, reader, table, lambda done, total: None, 0)
        connection.commit()
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hubbub.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.empty()


@pytest.fixture
def earlier(address: str) -> Iterator[Database]:
    with closing(loaded(address)) as database:
        yield database


def read(database: Database, query: Any, *args: Any) -> Any:
    found = database.read(query, *args)
    return orjson.loads(orjson.dumps(found, default=lambda model: model.model_dump()))


def differences(database: Database) -> list[str]:
    """Return what users read otherwise than before the upgrade."""
    found = []
    own = {"epoch": database.read(log.epoch)}
    for whose, pages in SEEN["pages"].items():
        user, room = map(int, whose.split())
        queries = [MessagePage(room=room, limit=100, after=0), MessagePage(room=room, limit=100)]
        if [read(database, messages.page, user, query) for query in queries] != pages:
            found.append(f"pages of {whose}")
    for whose, history in SEEN["edits"].items():
        user, room, seq = map(int, whose.split())
        if read(database, edits.listing, Actor(user, "x", Role.MEMBER), (room, seq), 0, 50) != history:
            found.append(f"edits of {whose}")
    for whose, before in SEEN["events"].items():
        user, room = map(int, whose.split())
        topic = room_topic(room)
        floor = database.read(sync.follow_floor, user, True, topic)
        bodies = {message["seq"]: message["body"] for message in SEEN["pages"][whose][0]["messages"]}
        for event_ in before["events"]:
            if event_["type"] == "message.sent":
                event_["body"] = bodies[event_["seq"]]
            elif event_["type"] == "message.edited":
                event_["body"] = bodies.get(event_["message"]) if event_["message"] > floor else None
        query = EventsSince(topic=topic, after=before["after"], limit=200)
        if read(database, sync.events_since, user, True, query) | {"after": before["after"]} != before | own:
            found.append(f"events of {whose}")
        if before["after"] > floor and "reset" not in read(
            database, sync.events_since, user, True, EventsSince(topic=topic, after=before["after"] - 1)
        ):
            found.append(f"the floor of {whose}")
    for topic, before in {**SEEN["own"], "site": SEEN["site"]}.items():
        owner = int(topic.partition(":")[2] or next(iter(SEEN["users"].values())))
        if read(database, sync.events_since, owner, True, EventsSince(topic=topic, after=0, limit=200)) != before | own:
            found.append(f"events of {topic}")
    return found


def test_users_read_the_same_after_the_upgrade(earlier: Database) -> None:
    assert migrate.upgrade(earlier, epoch="another", now=NOW)[:2] == ("0004", migrate.HEAD)
    assert differences(earlier) == []


def test_users_read_the_same_from_a_restored_backup(address: str, tmp_path: Path) -> None:
    put_back(BACKUP, address, tmp_path / "data")
    with closing(Database(address)) as database:
        assert differences(database) == []


@pytest.mark.parametrize(
    ("spoil", "noticed"),
    [
        ("UPDATE messages SET sent_mentions = NULL", "events of"),
        ("UPDATE messages SET body = 'x' WHERE edited_at IS NOT NULL", "pages of"),
        ("DELETE FROM edits", "edits of"),
        ("UPDATE topics SET floor = 0", "the floor of"),
    ],
)
def test_control_an_upgrade_that_loses_something_is_noticed(earlier: Database, spoil: str, noticed: str) -> None:
    migrate.upgrade(earlier, epoch="another", now=NOW)
    with earlier.writer.begin() as connection:
        connection.execute(text(spoil))
    assert any(each.startswith(noticed) for each in differences(earlier))


async def test_keys_of_earlier_messages_are_recognised(earlier: Database) -> None:
    bob, room = SEEN["users"]["bob"], SEEN["rooms"]["opened"]
    page = SEEN["pages"][f"{bob} {room}"][0]["messages"]
    stored = {message["body"]: message for message in page if "forwarded" not in message}
    last, edited = stored["many 19"], stored["edited twice @alice @bob, new"]
    async with store_at(earlier.url.render_as_string(hide_password=False)) as store:
        actor = Actor(bob, "bob", Role.MEMBER, session="s")
        command = SendMessage(room=room, key=last["key"], body=last["body"])
        assert (await store.journal.submit(command, actor)).answer["seq"] == last["seq"]
        command = SendMessage(room=room, key=edited["key"], body="edited twice @alice, old")
        assert (await store.journal.submit(command, actor)).answer["seq"] == edited["seq"]
        with pytest.raises(Conflict):
            await store.journal.submit(command.model_copy(update={"body": "another"}), actor)


# -- interruptions


def content(database: Database) -> dict[str, list[str]]:
    """Return all rows of all tables."""

    def rows(connection: Connection) -> dict[str, list[str]]:
        tables = sorted(backup.ordinary(connection))
        return {name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}")))) for name in tables}

    return database.read(rows)


def killed_at(address: str, step: int) -> bool:
    """Upgrade in another process that kills itself at a statement; return whether it got there."""
    child = os.fork()
    if child == 0:
        try:
            count = iter(range(step))

            def kill(*_: Any) -> None:
                if next(count, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            for moment in ("before_cursor_execute", "commit"):
                event.listen(Engine, moment, kill)
            migrate.upgrade(Database(address), epoch="another", now=NOW)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_kill_at_any_statement_leaves_the_earlier_database_or_the_new_one(address: str) -> None:
    with closing(loaded(address)) as database:
        before = content(database)
    for step in STEPS:
        killed = killed_at(address, step)
        with closing(Database(address)) as database:
            revision = database.read(migrate.current)
            if not killed:
                break
            assert revision in ("0004", migrate.HEAD)
            assert revision == migrate.HEAD or content(database) == before
    assert step > 15, "the upgrade was killed at each of its statements"
    with closing(Database(address)) as database:
        migrate.upgrade(database, epoch="another", now=NOW)
        assert differences(database) == []


def test_a_full_disk_leaves_the_earlier_database(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'hubbub.db'}"
    with closing(loaded(address)) as database:
        before = content(database)
        pages = database.read(lambda connection: connection.scalar(text("PRAGMA page_count")))
    for more in range(0, 10_000, 5):
        with closing(Database(address)) as database:

            def limit(driver: Any, _record: Any, most: int = pages + more) -> None:
                driver.execute(f"PRAGMA max_page_count = {most}")

            event.listen(database.writer, "connect", limit)
            error = None
            try:
                migrate.upgrade(database, epoch="another", now=NOW)
            except Exception as failure:  # which one is not decided here
                error = failure
            if error is None:
                break
            assert "full" in repr(error.__cause__ or error)
            assert database.read(migrate.current) == "0004"
            assert content(database) == before
    assert more > 10, "the disk was full several times"
    with closing(Database(address)) as database:
        assert differences(database) == []


# -- no copies of texts


@pytest.mark.parametrize("how", ["upgraded", "restored"])
async def test_a_message_of_an_earlier_version_is_in_no_file_after_its_deletion(tmp_path: Path, how: str) -> None:
    file = tmp_path / "hubbub.db"
    if how == "upgraded":
        loaded(f"sqlite:///{file}").close()
    else:
        put_back(BACKUP, f"sqlite:///{file}", tmp_path / "data")
    alice = Actor(SEEN["users"]["alice"], "alice", Role.MEMBER, session="s")
    words = ["late, edited", "longer longer", "plain, edited after"]
    async with store_at(f"sqlite:///{file}") as store:
        for room in SEEN["rooms"].values():
            for message in SEEN["pages"][f"{alice.id} {room}"][0]["messages"]:
                if message["by"] == alice.id and not message["deleted"] and message["body"]:
                    done = await store.journal.submit(DeleteMessage(room=room, message=message["seq"]), alice)
                    assert isinstance(done, Receipt)
        for room, seq, author in store.rows("SELECT room, seq, author FROM messages WHERE body LIKE 'late, edited%'"):
            forwarder = Actor(int(str(author)), "carol", Role.MEMBER, session="s")
            await store.journal.submit(DeleteMessage(room=int(str(room)), message=int(str(seq))), forwarder)
    assert [each for each in words if each.encode() in content_of(file)] == []


def content_of(file: Path) -> bytes:
    """Return the content of a SQLite database and its write-ahead log.

    Another process reads the files: closing a descriptor in this one would drop SQLite's locks.
    """
    files = [file, *file.parent.glob(f"{file.name}-*")]
    return subprocess.run(["cat", *map(str, files)], capture_output=True, check=True).stdout
