"""The database refuses values that the code does not know, on both engines."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import CheckConstraint, Connection, Table, insert, inspect
from sqlalchemy.exc import IntegrityError

from hubbub.domain.model import Chosen, History, Role, RoomKind, RoomRole, TokenPurpose
from hubbub.storage import migrate
from hubbub.storage.database import Database
from hubbub.storage.schema import metadata
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
USER, ROOM, WEBHOOK = 1_000, 2_000, 3_000
Row = dict[str, Any]
VALID: dict[str, Row] = {
    "users": {"id": 5, "name": "zoe", "skeleton": "zoe", "role": "member", "disabled": False, "created_at": NOW},
    "identities": {"issuer": "i", "subject": "s", "user": USER, "name": "zoe", "revoked": 0},
    "sessions": {
        "id": "s", "user": USER, "browser": False, "generation": 0, "rotated_at": NOW, "client": "",
        "created_at": NOW, "last_seen_at": NOW, "expires_at": NOW,
    },
    "rooms": {"id": 6, "kind": "private", "name": "A", "created_at": NOW, "members": 0},
    "participants": {"room": ROOM, "user": USER},
    "host_rooms": {"key": "order:42", "room": ROOM},
    "members": {
        "room": ROOM, "user": USER, "role": "member", "joined_seq": 1, "joined_at": NOW, "read_seq": 0, "read_n": 0,
    },
    "pins": {"room": ROOM, "seq": 1, "pinned_seq": 2, "by": USER, "at": NOW},
    "reactions": {"room": ROOM, "seq": 1, "emoji": "👍", "user": USER, "added_seq": 2, "first_seq": 2},
    "mentions": {"user": 0, "room": ROOM, "seq": 1, "author": USER},
    "bans": {"room": ROOM, "user": USER, "by": 0, "at": NOW, "reason": ""},
    "statuses": {"user": USER, "status": "dnd", "text": ""},
    "log": {"topic": "site", "seq": 1, "at": NOW, "tx": 1, "type": "room.created", "text": "{}"},
    "messages": {"room": ROOM, "seq": 1, "n": 1, "at": NOW, "id": 1, "author": USER, "key": "k", "body": ""},
    "invites": {"id": "i", "token_hash": "h", "uses": 0, "max_uses": 1, "created_by": 0, "created_at": NOW},
    "links": {"token_hash": "h", "purpose": "reset", "user": USER, "created_at": NOW},
    "webhooks": {
        "id": 7, "room": ROOM, "name": "n", "url": "u", "events": "[]", "secret": "s", "created_by": USER,
        "responsible": USER, "created_at": NOW,
    },
    "webhook_attempts": {"webhook": WEBHOOK, "id": 1, "at": NOW, "type": "t", "milliseconds": 1},
}  # fmt: skip
WRONG: dict[str, list[Row]] = {
    "users_role": [{"role": "emperor"}, {"role": ""}, {"role": "Owner"}],
    "users_skeleton": [{"skeleton": None}, {"disabled": True, "deleted_at": NOW}],
    "users_deleted": [
        {"skeleton": None, "deleted_at": NOW},
        {"skeleton": None, "deleted_at": NOW, "disabled": True, "password_hash": "h"},
    ],
    "identities_revoked": [{"revoked": -1}],
    "sessions_token_hash": [{"browser": True}, {"token_hash": "h"}],
    "sessions_generation": [{"generation": -1}],
    "rooms_kind": [{"kind": "secret"}],
    "rooms_history": [{"history": "none"}],
    "rooms_members": [{"members": -1}],
    "rooms_skeleton": [{"skeleton": "a"}, {"kind": "public"}],
    "rooms_direct": [{"direct_key": "k"}, {"kind": "direct"}],
    "members_role": [{"role": "admin"}],
    "members_positions": [{"joined_seq": 0}, {"read_seq": -1}, {"read_n": -1}],
    "pins_seqs": [{"seq": 0}, {"pinned_seq": 1}],
    "reactions_seqs": [{"seq": 0}, {"first_seq": 1}, {"added_seq": 2, "first_seq": 3}],
    "mentions_seqs": [{"user": -1}, {"seq": 0}],
    "statuses_status": [{"status": "offline"}],
    "invites_uses": [{"uses": -1, "used_at": NOW}, {"max_uses": 0}, {"uses": 2, "used_at": NOW}],
    "invites_used_at": [{"uses": 1}, {"used_at": NOW}],
    "log_message": [{"message": 1}, {"type": "message.edited"}],
    "messages_body": [{"body": None}],
    "links_purpose": [{"purpose": "login"}, {"purpose": "login", "user": None}],
    "webhooks_rotated": [{"previous_secret": "s"}, {"rotated_at": NOW}],
    "webhook_attempts_place": [{"room": ROOM}, {"seq": 1}],
    "links_user_of_reset": [{"user": None}, {"purpose": "setup"}],
}
"""For each check, changes of the valid row that it refuses."""
KNOWN: dict[tuple[str, str], tuple[str, ...]] = {
    ("users", "role"): tuple(Role),
    ("members", "role"): tuple(RoomRole),
    ("rooms", "kind"): get_args(RoomKind),
    ("rooms", "history"): get_args(History),
    ("statuses", "status"): get_args(Chosen),
    ("links", "purpose"): get_args(TokenPurpose),
}
"""The domain's lists. All their values must be accepted."""
TOGETHER: dict[tuple[str, str], Row] = {
    ("kind", "public"): {"skeleton": "a"},
    ("kind", "direct"): {"direct_key": "k"},
    ("purpose", "setup"): {"user": None},
}
"""What a value needs beside it."""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A new database with the user USER, the room ROOM and the webhook WEBHOOK."""
    address = f"sqlite:///{tmp_path / 'hubbub.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.empty()
    with closing(Database(address)) as database:
        migrate.upgrade(database, epoch="first", now=NOW)
        with database.writer.begin() as connection:
            for name, own in (
                ("users", {"id": USER, "skeleton": "x"}), ("rooms", {"id": ROOM}), ("webhooks", {"id": WEBHOOK}),
            ):  # fmt: skip
                connection.execute(insert(metadata.tables[name]).values(**VALID[name] | own))
        yield database


def put(database: Database, table: Table, row: Row) -> str | None:
    """Insert a row and take it back; return the database's refusal."""
    with database.writer.connect() as connection, connection.begin() as transaction:
        try:
            connection.execute(insert(table).values(**row))
        except IntegrityError as error:
            return str(error.orig)
        finally:
            transaction.rollback()
    return None


def checks(table: Table) -> dict[str, CheckConstraint]:
    return {str(each.name): each for each in table.constraints if isinstance(each, CheckConstraint)}


def test_every_check_has_a_value_here_that_it_refuses() -> None:
    named = {name for table in metadata.sorted_tables for name in checks(table)}
    flags = {
        name for name in named if name.endswith(("_disabled", "_browser", "_archived", "_favourite", "_muted", "_bot"))
    }
    assert named - flags - {"invites_signup"} == WRONG.keys(), "add a wrong value for the new check"


def test_the_database_refuses_what_no_check_allows(store: Database) -> None:
    for table in metadata.sorted_tables:
        if table.name in VALID:
            assert put(store, table, VALID[table.name]) is None
        for name in checks(table).keys() & WRONG.keys():
            for change in WRONG[name]:
                refusal = put(store, table, VALID[table.name] | change)
                assert refusal is not None, f"{name} allows {change}"
                assert "check" in refusal.lower(), refusal


@pytest.mark.parametrize("name", ["users", "sessions", "rooms", "members", "invites"])
def test_sqlite_refuses_a_truth_value_that_is_none(tmp_path: Path, name: str) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'hubbub.db'}")) as database:
        migrate.upgrade(database, epoch="first", now=NOW)
        table = metadata.tables[name]
        truths = [column.name for column in table.columns if column.type.python_type is bool]
        assert truths
        assert {f"{name}_{column}" for column in truths} <= checks(table).keys()
        for column in truths:
            row = {**VALID[name], column: 7}
            names, places = ", ".join(f'"{key}"' for key in row), ", ".join(f":{key}" for key in row)
            statement = f"INSERT INTO {name} ({names}) VALUES ({places})"
            with database.writer.connect() as connection, pytest.raises(IntegrityError, match="CHECK"):
                connection.exec_driver_sql(statement, row)


def test_the_database_accepts_every_value_of_the_domain(store: Database) -> None:
    for (name, column), values in KNOWN.items():
        for value in values:
            row = VALID[name] | {column: value} | TOGETHER.get((column, value), {})
            assert put(store, metadata.tables[name], row) is None, f"{name}.{column} = {value}"


def test_rows_need_the_users_and_rooms_they_refer_to(store: Database) -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.foreign_keys:
                refusal = put(store, table, VALID[table.name] | {column.name: 999})
                assert refusal is not None, f"{column} may refer to nothing"
                assert "foreign key" in refusal.lower()


def test_the_same_users_have_one_direct_room(store: Database) -> None:
    """Also if two servers create it at once: the second one waits, and finds that of the first."""
    table, row = metadata.tables["rooms"], VALID["rooms"] | {"kind": "direct", "direct_key": "k"}
    with store.writer.begin() as connection:
        connection.execute(insert(table).values(**row))
    refusal = put(store, table, row | {"id": 7})
    assert refusal is not None
    assert "unique" in refusal.lower()
    assert put(store, table, row | {"id": 7, "direct_key": "l"}) is None


def test_every_foreign_key_leads_an_index() -> None:
    """Otherwise the deletion of a user or a room would read the whole table."""
    for table in metadata.sorted_tables:
        leading = [next(iter(table.primary_key.columns))]
        leading += [next(iter(index.columns)) for index in table.indexes]
        unique = [each for each in table.constraints if type(each).__name__ == "UniqueConstraint"]
        leading += [next(iter(each.columns)) for each in unique]  # type: ignore[attr-defined]
        for column in table.columns:
            assert not column.foreign_keys or column in leading, f"{column} leads no index"


def test_a_migrated_database_has_the_checks_of_a_new_one(store: Database, request: pytest.FixtureRequest) -> None:
    """A new kind or role changes the check of the schema, so it needs a migration."""

    def found(connection: Connection) -> dict[str, dict[str, str]]:
        look = inspect(connection)
        return {
            name: {str(each["name"]): each["sqltext"] for each in look.get_check_constraints(name)}
            for name in metadata.tables
        }

    address = f"sqlite:///{request.getfixturevalue('tmp_path') / 'other.db'}"
    if not store.is_sqlite:
        address = request.getfixturevalue("postgres_server").empty()
    with closing(Database(address)) as other:
        with other.migrating() as connection:
            migrate.run_scripts(connection)
        assert other.read(found) == store.read(found), "the schema's checks changed: write a migration"
        assert other.read(found)["users"].keys() >= {"users_role", "users_deleted"}
