"""The key that signs tokens: a file in the data folder, and its fingerprint in the database it belongs to.

The fingerprint is a hash of a random key of 256 bits: it gives nothing away. With it a server notices a key that is not
the one its users' tokens were signed with, and a restore that was interrupted is finished at the next start: the
restored key waits beside the old one until the restored database, which names it, is in place. Putting the database in
place is the one step that decides, so there is no moment at which the key of one belongs to the database of the other.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import structlog
from sqlalchemy import Connection, delete, insert, select

from hubbub.storage.atomic_files import remove, replace, write_file
from hubbub.storage.database import Database
from hubbub.storage.schema import meta

KEY = "secret.key"
NEXT = "secret.key.next"
"""The key of a database that is being restored."""
SIZE = 32
ENTRY = "signing_key"
"""The key of the fingerprint in `meta`."""

logger = structlog.get_logger(__name__)


class KeyUnusable(Exception):
    """The signing key is damaged or belongs to another database; the message is a sentence for the operator."""


def fingerprint(key: bytes) -> str:
    return sha256(b"hubbub signing key\0" + key).hexdigest()[:32]


def read(path: Path) -> bytes | None:
    """The key in a file, None if there is no file. Raises KeyUnusable for a file that holds no key, OSError."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) >= SIZE and any(key):
        return key
    found = "is empty" if not key else f"has {len(key)} bytes in place of {SIZE}" if any(key) else "holds only zeros"
    raise KeyUnusable(
        f"The signing key {path} is damaged: it {found}. Put the file back from a backup. If there is none, delete it: "
        "the server makes a new key, and everyone is logged out except in browsers."
    )


def known(connection: Connection) -> str | None:
    """The fingerprint of the key that belongs to this database, None before the first use."""
    found: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == ENTRY))
    return found


def record(connection: Connection, key: bytes | None) -> None:
    """Stores which key belongs to the database; None leaves it open until the next start."""
    connection.execute(delete(meta).where(meta.c.key == ENTRY))
    if key is not None:
        connection.execute(insert(meta).values(key=ENTRY, value=fingerprint(key)))


def obtain(data: Path, database: Database, *, serving: bool, signs: bool = True) -> bytes:
    """The key of this database, created at the first use. The locks on folder and database must be held.

    `serving` is False for a command: it signs nothing, and must not decide which key the server uses. `signs` is
    False where the host application knows the users: they hold no token of ours, so that another key does no harm.
    Raises KeyUnusable, Unavailable, OSError.
    """
    path, wanted = data / KEY, database.read(known)
    finish_restore(data, wanted)
    key = read(path)
    if key is not None and wanted in (None, fingerprint(key)):
        pass
    elif wanted is not None and not serving:
        return key or secrets.token_bytes(SIZE)
    elif key is not None and signs:
        raise KeyUnusable(
            f"The signing key {path} is not the one that this database was last used with. Put the right file back, "
            "or name the right folder with --data. If it is lost, delete the file: the server makes a new key, and "
            "everyone is logged out except in browsers."
        )
    elif wanted is not None:
        logger.warning("signing_key_replaced", advice="tokens that were signed with the old key are no longer valid")
        _record(database, None)  # first: a new key must never stand beside the old fingerprint
        wanted = None
    if key is None:
        key = secrets.token_bytes(SIZE)
        write_file(path, key)
    if wanted is None:
        _record(database, key)
    return key


def of_database(data: Path, wanted: str | None) -> bytes | None:
    """The key that belongs to a database with this fingerprint, for a backup. Raises KeyUnusable, OSError."""
    return _waiting(data, wanted) or read(data / KEY)


@contextmanager
def waiting(data: Path, key: bytes | None) -> Iterator[None]:
    """Lays the key of a database beside the old one, before the body puts that database in place.

    Removed if the body fails with an error that says so; an interrupted one leaves it for the next start.
    """
    if key is None:
        remove(data / NEXT)
        yield
        return
    write_file(data / NEXT, key)
    try:
        yield
    except Exception:
        remove(data / NEXT)
        raise


def finish_restore(data: Path, wanted: str | None) -> None:
    """Puts the key in place that a restore has left for the database with this fingerprint; drops any other."""
    if not (data / NEXT).exists():
        return
    if _waiting(data, wanted) is not None:
        replace(data / NEXT, data / KEY)
    else:
        remove(data / NEXT)


def _waiting(data: Path, wanted: str | None) -> bytes | None:
    key = (data / NEXT).read_bytes() if wanted is not None and (data / NEXT).exists() else None
    return key if key is not None and fingerprint(key) == wanted else None


def _record(database: Database, key: bytes | None) -> None:
    with database.migrating() as connection, connection.begin():
        record(connection, key)
