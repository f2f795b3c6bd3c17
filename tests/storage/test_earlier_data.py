"""A database of revision 0002 is upgraded without losing data."""

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text

from hubbub.domain.commands import MessagePage
from hubbub.domain.model import LOBBY, Role
from hubbub.features import messages, sync
from hubbub.storage import accounts, log, members, migrate, rooms
from hubbub.storage.database import Database
from hubbub.storage.schema import invites, metadata
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
ALICE, BOB, ROOM = 1_000, 2_000, 3_000
SENT = (
    '{"topic":"room:3000","seq":4,"type":"message.sent","at":"2026-09-21T14:13:20.000Z","room":3000,"by":1000,'
    '"name":"alice","n":1,"key":"k","body":"hello"}'
)
DATA = f"""
INSERT INTO meta VALUES ('epoch', 'long ago');
INSERT INTO topics VALUES ('site', 1, 0, 0), ('security', 0, 0, 0), ('room:1', 2, 0, 0), ('room:{ROOM}', 4, 1, 1),
    ('user:{ALICE}', 1, 0, 0), ('user:{BOB}', 1, 0, 0);
INSERT INTO users VALUES ({ALICE}, 'alice', 'alice', 'owner', 'hash', FALSE, {NOW}),
    ({BOB}, 'bob', 'bob', 'member', 'hash', FALSE, {NOW});
INSERT INTO rooms VALUES ({LOBBY}, 'public', 'Lobby', 'lobby', NULL, {NOW}, 2),
    ({ROOM}, 'public', 'The Lounge', 'the lounge', {ALICE}, {NOW}, 2);
INSERT INTO members VALUES ({LOBBY}, {ALICE}, 'member', 1, {NOW}, 0, 0), ({LOBBY}, {BOB}, 'member', 2, {NOW}, 1, 0),
    ({ROOM}, {ALICE}, 'owner', 2, {NOW}, 4, 1), ({ROOM}, {BOB}, 'member', 3, {NOW}, 2, 0);
INSERT INTO messages VALUES (5000, {ROOM}, 4, 1, {NOW}, {ALICE}, 'k', '{sha256(b"hello").hexdigest()}', 'hello');
INSERT INTO answers VALUES ({ALICE}, 'room.create', 'k', 'hash', '{{}}');
INSERT INTO invites VALUES ('i1', 'hash', 0, 1, {ALICE}, {NOW}, NULL)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as the earlier version left it."""
    address = f"sqlite:///{tmp_path / 'hubbub.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.empty()
    with closing(Database(address)) as database:
        with database.migrating() as connection:
            migrate.run_steps(connection, "0002")
            _fill(connection)
            connection.commit()
        yield database


def _fill(connection: Connection) -> None:
    for statement in DATA.split(";\n"):
        connection.exec_driver_sql(statement)
    row = {"topic": f"room:{ROOM}", "at": NOW, "text": SENT}
    given = "INSERT INTO log (id, topic, seq, at, type, text) VALUES (6000, :topic, 4, :at, 'message.sent', :text)"
    connection.execute(text(given), row)


def test_a_database_of_an_earlier_version_is_upgraded_with_all_its_data(earlier: Database) -> None:
    before, after, backup = migrate.upgrade(earlier, epoch="another", now=NOW)
    assert (before, after) == ("0002", migrate.HEAD)
    assert (backup is not None) == earlier.is_sqlite
    assert earlier.read(log.epoch) == "long ago"
    lobby, lounge = (room.model_dump(exclude_none=True) for room in earlier.read(rooms.directory, BOB, 0, 10))
    assert (lobby["id"], lounge["id"]) == (LOBBY, ROOM)
    wanted = {
        "kind": "public", "name": "The Lounge", "history": "all", "archived": False, "member_count": 2,
        "role": "member", "favourite": False, "muted": False, "head": 4, "floor": 2,
        "read_seq": 2, "unread_count": 1, "mention_count": 0,
    }  # fmt: skip
    assert wanted.items() <= lounge.items()
    assert not {"topic", "description", "members"} & set(lounge)
    own = earlier.read(members.find, ROOM, BOB)
    assert own is not None
    assert (own.sees_from, own.archived) == (0, False)
    page = earlier.read(messages.page, BOB, MessagePage(room=ROOM))["messages"]
    assert isinstance(page, list)
    (said,) = page
    assert (said["body"], said["deleted"], said["pinned"], said["reactions"]) == ("hello", False, False, [])
    greeting = earlier.read(sync.snapshot, BOB, site=True, epoch="long ago", have={f"room:{ROOM}": 3}, now=NOW)
    shown = [json.loads(found) for missing in greeting.missing if missing.page for found in missing.page.texts]
    assert shown == [json.loads(SENT)]
    account = earlier.read(accounts.find, ALICE)
    assert account is not None
    assert account.role is Role.OWNER
    (invite,) = earlier.read(lambda connection: connection.execute(select(invites)).all())
    assert (invite.signup, invite.room) == (True, None), "the invite still admits new accounts"


def test_the_upgraded_schema_equals_that_of_a_new_database(earlier: Database) -> None:
    migrate.upgrade(earlier, epoch="another", now=NOW)
    with earlier.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
