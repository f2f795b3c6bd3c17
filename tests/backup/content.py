"""Databases with rows in every table, and their backup and restore in process."""

from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import Connection, Table, insert, select

from hubbub.domain.model import Chosen, History, Role, RoomKind, RoomRole
from hubbub.storage import backup, backup_format, migrate, restore
from hubbub.storage.backup_format import Manifest
from hubbub.storage.database import Database
from hubbub.storage.schema import INDEX, metadata

NOW = 1_790_000_000_000
KEY = bytes(range(32))
ODD = [
    "plain", "", " blanks ", "two\nlines\r\n\ttab", 'a " \' `', "back\\slash \\N \\. \\u0041", "€ ü 漢字 😀 👩‍👩‍👧",
    "\u202eright to left \u200f אבג", "\u2028\u2029\u0085\x1c\x7f\x1b[31m", "[1,2]", "null", "x" * 20_000,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**31, 2**53 - 1, 2**63 - 1]

TABLES = [table for table in metadata.sorted_tables if table.name not in INDEX]
"""The tables that backups contain."""
Rows = dict[str, list[tuple[Any, ...]]]


def fill(connection: Connection, count: int = len(ODD)) -> None:
    """Insert `count` rows into every table, with extreme values."""
    for table in TABLES:
        if table.name != "meta":
            for number in range(count):
                connection.execute(insert(table).values(**row_of(table, number)))


def row_of(table: Table, number: int) -> dict[str, Any]:
    """Return the row with that number. Foreign keys refer to the users and rooms of the number."""
    row: dict[str, Any] = {}
    for position, column in enumerate(table.columns):
        if column.foreign_keys or (column.name == "id" and column.type.python_type is int):
            row[column.name] = 1_000 + number
        elif column.type.python_type is bool:
            row[column.name] = (number + position) % 2 == 0
        elif column.type.python_type is int:
            row[column.name] = NUMBERS[(number + position) % len(NUMBERS)] - number
        else:
            row[column.name] = f"{ODD[(number + position) % len(ODD)]} {number}"
        if column.nullable and not column.foreign_keys and number % 3 == 0:
            row[column.name] = None
    return row | checked(table.name, number, row)


def checked(table: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the checks of a table ask for, in place of those of `row`."""
    far = 2**53 - 1
    if table == "users":
        own: dict[str, Any] = {"role": list(Role)[number % 4]}
        if number % 3:
            return own | {"skeleton": f"skeleton {number}", "deleted_at": None}
        return own | {"skeleton": None, "deleted_at": far, "disabled": True, "password_hash": None}
    if table == "rooms":
        kind = get_args(RoomKind)[number % 3]
        return {
            "kind": kind, "history": get_args(History)[number % 2], "members": abs(row["members"]),
            "skeleton": f"skeleton {number}" if kind == "public" else None,
            "direct_key": f"key {number}" if kind == "direct" else None,
        }  # fmt: skip
    if table == "sessions":
        return {"browser": row["token_hash"] is not None, "generation": number}
    if table == "members":
        return {"role": list(RoomRole)[number % 3], "joined_seq": far, "read_seq": 2**63 - 1, "read_n": number}
    if table == "invites":
        used = {"uses": number, "used_at": row["created_at"] if number else None}
        return used | {"max_uses": None if number % 2 else number + 1}
    if table == "webhooks":
        return (
            {"previous_secret": f"secret {number}", "rotated_at": far}
            if number % 2
            else dict.fromkeys(("previous_secret", "rotated_at"))
        )
    if table == "webhook_attempts":
        return {"room": far, "seq": number} if number % 2 else {"room": None, "seq": None}
    if table == "links":
        return {"purpose": "reset"} if number % 2 else {"purpose": "setup", "user": None}
    if table == "log":
        return {"type": "message.edited"} if row["message"] is not None else {}
    if table == "messages":
        return {"deleted_at": far} if row["body"] is None else {}
    fixed: dict[str, dict[str, Any]] = {
        "identities": {"revoked": number},
        "pins": {"seq": far - number, "pinned_seq": far + number + 1},
        "reactions": {"seq": far - number, "first_seq": far + 1, "added_seq": 2**63 - 1},
        "mentions": {"user": number, "seq": 2**63 - 1},
        "statuses": {"status": get_args(Chosen)[number % 4]},
    }
    return fixed.get(table, {})


def made(url: str, count: int = len(ODD)) -> Database:
    """Return a database at this version's schema with `count` rows in every table."""
    database = Database(url)
    migrate.upgrade(database, epoch="first", now=NOW)
    with database.writer.begin() as connection:
        fill(connection, count)
    return database


def rows(database: Database) -> Rows:
    """Return all rows of all tables, except for what every restore changes."""

    def read(connection: Connection) -> Rows:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
                if table.name != "meta" or row.key not in ("epoch", "nodes", "signing_key")
            ]
            for table in TABLES
        }

    found = database.read(read)
    # Each engine sorts texts in its own order.
    return {name: sorted(some, key=repr) for name, some in found.items()}


def back_up(database: Database, data: Path, file: Path) -> Manifest:
    """Write a backup of the database and the folder, with a key in it, to `file`."""
    data.mkdir(exist_ok=True)
    (data / "secret.key").write_bytes(KEY)
    with file.open("wb") as stream:
        return backup.write(database, data, stream, version="0.1.0", now=NOW, progress=lambda done, total: None)


def put_back(file: Path, url: str, data: Path, epoch: str = "second", now: int = NOW) -> str | None:
    """Restore `file` and return where the replaced data is kept, or None."""
    data.mkdir(exist_ok=True)
    with backup_format.opened(file) as reader, closing(Database(url)) as database:
        return restore.restore(reader, database, data, epoch=epoch, now=now, progress=lambda done, total: None)
