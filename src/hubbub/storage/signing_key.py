"""The key that signs tokens.

It is a file in the data folder, and its fingerprint is stored in the database that it belongs to.
The fingerprint is a hash of a random key of 256 bits, so it reveals nothing.

Several nodes of one site need the same key. Unless the operator copies it, it is in the database, too:
a new node writes it to its own data folder.

With the fingerprint a server detects a key other than the one that signed its users' tokens, and
finishes a restore that was interrupted at the next start: the restored key waits beside the old one
until the restored database, which has its fingerprint, is in place. Putting the database in place
is the one step that decides, so the key of one database is never used with another.
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
SHARED = "signing_key_shared"
"""The key in `meta` of the signing key itself, if several nodes share it through the database."""

logger = structlog.get_logger(__name__)


class KeyUnusable(Exception):
    """The signing key is damaged or belongs to another database.

    The message is a sentence for the operator.
    """


def fingerprint(key: bytes) -> str:
    return sha256(b"hubbub signing key\0" + key).hexdigest()[:32]


def read(path: Path) -> bytes | None:
    """Return the key in a file, None if there is no file.

    Raises KeyUnusable if the file does not contain a key, OSError.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) >= SIZE and any(key):
        return key
    if not key:
        found = "is empty"
    elif not any(key):
        found = "contains only zeros"
    else:
        found = f"has {len(key)} bytes instead of {SIZE}"
    raise KeyUnusable(
        f"The signing key {path} is damaged: it {found}. Restore the file from a backup. If you have none, delete it: "
        "the server then creates a new key, and all users are logged out except in browsers."
    )


def known(connection: Connection) -> str | None:
    """Return the fingerprint of the database's key, None before the first use."""
    found: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == ENTRY))
    return found


def record(connection: Connection, key: bytes | None) -> None:
    """Store which key belongs to the database. None leaves that to the next start."""
    connection.execute(delete(meta).where(meta.c.key.in_((ENTRY, SHARED))))
    if key is not None:
        connection.execute(insert(meta).values(key=ENTRY, value=fingerprint(key)))


def obtain(data: Path, database: Database, *, serving: bool, signs: bool = True) -> bytes:
    """Return the key of this database, and create it at the first use.

    The caller holds the locks on the folder and the database. `serving` is False for a command,
    which signs nothing and must not decide which key the server uses. `signs` is False if the host
    application authenticates the users: they have no token of ours, so that another key does no
    harm. Raises KeyUnusable, Unavailable, OSError.
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
            f"The signing key {path} does not match this database. Restore the right file, or name the right folder "
            "with --data. If the right key is lost, delete the file: the server then creates a new key, and all users "
            "are logged out except in browsers."
        )
    elif wanted is not None:
        logger.warning("signing_key_replaced", advice="tokens signed with the old key are no longer valid")
        _record(database, None)  # before the file is written: a new key must never be beside the old fingerprint
        wanted = None
    if key is None:
        key = secrets.token_bytes(SIZE)
        write_file(path, key)
    if wanted is None:
        _record(database, key)
    return key


def obtain_shared(data: Path, database: Database, *, in_database: bool) -> bytes:
    """Return the key of this site for one of its nodes, and create it at the first use.

    Nodes that start at once wait for each other. With `in_database` the key is stored there for new
    nodes. Otherwise it is removed from there, and the operator copies the file to each node.
    Raises KeyUnusable, Unavailable, OSError.
    """
    path = data / KEY
    with database.migrating() as connection, connection.begin():
        wanted = known(connection)
        finish_restore(data, wanted)
        stored = _shared(connection)
        key = read(path)
        if key is not None and wanted not in (None, fingerprint(key)):
            raise KeyUnusable(
                f"The signing key {path} does not match this database. If this node is new, delete the file: the node "
                "then takes the site's key from the database. Otherwise restore the right file."
            )
        if key is None and in_database and stored is not None and wanted == fingerprint(stored):
            key = stored
            write_file(path, key)
        if key is None and wanted is not None:
            raise KeyUnusable(
                f"This node has no signing key, and the database has none for it. Copy {KEY} from another node to "
                f"{path}. If no node has it, start one server without HUBBUB_BUS_URL: it creates a new key, and all "
                "users are logged out except in browsers."
            )
        if key is None:
            key = secrets.token_bytes(SIZE)
            write_file(path, key)
        if wanted is None:
            record(connection, key)
        if not in_database:
            connection.execute(delete(meta).where(meta.c.key == SHARED))
        elif stored != key:
            connection.execute(delete(meta).where(meta.c.key == SHARED))
            connection.execute(insert(meta).values(key=SHARED, value=key.hex()))
    return key


def _shared(connection: Connection) -> bytes | None:
    found: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == SHARED))
    return None if found is None else bytes.fromhex(found)


def of_database(data: Path, wanted: str | None) -> bytes | None:
    """Return the key of a database with this fingerprint, for a backup.

    Raises KeyUnusable, OSError.
    """
    return _waiting(data, wanted) or read(data / KEY)


@contextmanager
def waiting(data: Path, key: bytes | None) -> Iterator[None]:
    """Write a database's key beside the old one.

    The body then puts that database in place. If the body raises an Exception, the new key is
    removed. If the body is interrupted, the key stays for the next start.
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
    """Put the key that a restore has left for this fingerprint in place.

    Any other waiting key is removed.
    """
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
