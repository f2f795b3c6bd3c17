"""Epochs: notices a database that lost commits, and begins a new history.

A failover to an asynchronous standby, a point-in-time recovery or a copied file can take a database
back in time. Its seqs are then given a second time, for other events. Clients must not mistake one
for the other, so the database gets a new epoch, and they load everything again.

The newest commit that a process knows is the proof that nothing is missing: a database that
contains it contains all commits before it. A running server keeps it in memory. Between two runs it
is in a file of the data folder, outside the database: the *high-water mark*. It is exact after a
clean stop, and up to MARK_INTERVAL seconds older after a crash. It is written after the COMMIT it
names, so it is never ahead of a database that lost nothing.

PostgreSQL tells more: a promoted standby and a recovered database continue on another timeline, a
copy has another system identifier. Both are compared with those of the last run. A change alone is
no loss, but after a crash the mark does not prove the opposite. Then the epoch changes, too.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import structlog
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hubbub.storage import log
from hubbub.storage.atomic_files import new_file, remove, sync
from hubbub.storage.database import Database, Statement
from hubbub.storage.db_errors import translate_errors
from hubbub.storage.locks import file_lock
from hubbub.storage.rows import BIG, TEXT
from hubbub.storage.schema import meta, topics

FILE = "high-water-mark.json"
MARK_INTERVAL = 15.0
"""Seconds between two checks of the database, each of which writes the mark if it has changed."""
EPOCH, RUN, CLUSTER = "epoch", "run", "cluster"
NUMBER = "epoch_number"
"""Counts the epochs. A node adopts a later one that another node has begun, never an earlier one,
which a database that went back in time may have."""
CLUSTER_QUERY = text(
    "SELECT (SELECT system_identifier FROM pg_control_system())::text"
    " || ':' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
)
"""The system identifier, and the timeline that PostgreSQL writes now. The timeline in
`pg_control_checkpoint` is older until the first checkpoint after a promotion."""

logger = structlog.get_logger(__name__)


class Commit(NamedTuple):
    """An entry that a commit has written: the id of the transaction, and the position."""

    tx: int
    topic: str
    seq: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What a process knows about the database.

    `run` is the id of the last run on a PostgreSQL database, empty on SQLite. `clean` says that the
    process has ended and that `commit` is its last one. `number` is that of the epoch.
    """

    epoch: str
    run: str = ""
    commit: Commit | None = None
    clean: bool = False
    number: int = 0


class WentBack(Exception):
    """The database lacks commits of this process. The message is the reason, for the log."""


def seen(connection: Connection, commit: Commit | None) -> tuple[str, bool]:
    """Return the database's epoch, and whether it contains `commit`. One statement.

    A position below the topic's floor counts as contained: its row was trimmed.
    """
    tx, topic, seq = commit or (0, "", 0)
    found = SEEN.row(connection, topic=topic, seq=seq)
    assert found is not None, "the first migration writes it"
    epoch, head, floor, id_ = found
    return epoch, commit is None or (head is not None and head >= seq and (id_ == tx or floor >= seq))


def change(connection: Connection, epoch: str, number: int = 0) -> int:
    """Begin a new epoch. Its number is higher than that of the last one, and than `number`."""
    connection.execute(update(meta).where(meta.c.key == EPOCH).values(value=epoch))
    now = max(number, number_of(connection)) + 1
    _put(connection, NUMBER, str(now))
    return now


def number_of(connection: Connection) -> int:
    """Return the number of the database's epoch."""
    return int(_entries(connection).get(NUMBER, 0))


def lock(connection: Connection) -> tuple[str, int]:
    """Keep other nodes from beginning an epoch; return the present one and its number."""
    query = select(meta.c.value).where(meta.c.key == EPOCH).with_for_update()
    found: str = connection.execute(query).scalar_one()
    return found, number_of(connection)


def note_cluster(connection: Connection) -> None:
    """Store PostgreSQL's timeline, after it is known that nothing was lost on the way to it."""
    found = _cluster(connection)
    if found is not None and found != _entries(connection).get(CLUSTER):
        _put(connection, CLUSTER, found)


def start(
    database: Database, data: Path, *, epoch: str, run: str, created: bool, wanted: bool, alone: bool = True
) -> tuple[Mark, bool]:
    """Check the database at the start of a process; begin the epoch `epoch` if it lost commits.

    `run` is the id of this run. A database that was `created` just now lost nothing; with `wanted`
    the operator asks for a new epoch. A process that is not `alone` is one of several nodes: what it
    committed last says nothing about the others. Returns what this process knows of the database, and
    whether its epoch is new. The caller holds the locks. Raises Unavailable.
    """
    mark = None if created else read(data)
    with translate_errors(), database.writer.connect() as connection, connection.begin():
        if not alone:
            lock(connection)
        entries = _entries(connection)
        cluster = _cluster(connection)
        reason = "requested" if wanted else _loss(connection, mark, entries, cluster, alone=alone)
        now = epoch if reason is not None else entries[EPOCH]
        if reason is not None:
            change(connection, now)
        number = number_of(connection)
        if not database.is_sqlite:
            _put(connection, RUN, run)
        if cluster is not None and cluster != entries.get(CLUSTER):
            _put(connection, CLUSTER, cluster)
        newest = log.newest(connection)
    if reason is not None:
        tell(reason, now)
    commit = Commit(*newest[:3]) if newest is not None else None
    started = Mark(now, "" if database.is_sqlite else run, commit, number=number)
    write(data, started, alone=alone)
    return started, reason is not None


def tell(reason: str, epoch: str) -> None:
    """Log that a new epoch has begun, and why."""
    if reason == "requested":
        logger.warning("new_epoch", reason=reason, epoch=epoch)
        return
    if reason == "adopted":
        logger.warning("epoch_adopted", epoch=epoch, advice="Another node has begun a new history.")
        return
    what = "lacks messages that this server stored in it"
    if reason == "another_timeline":
        what = "is on another timeline, or is a copy, and may lack messages, since the server did not stop cleanly"
    advice = f"The database {what}. Clients load everything again. See Failover in docs/operations.md."
    logger.error("new_epoch", reason=reason, epoch=epoch, advice=advice)


def _loss(
    connection: Connection, mark: Mark | None, entries: Mapping[str, str], cluster: str | None, *, alone: bool
) -> str | None:
    """Return why the database may lack commits of earlier runs, None if it lacks none."""
    if mark is not None:
        if not seen(connection, mark.commit)[1]:
            return "older_than_high_water_mark"
        if mark.commit is None and mark.epoch != entries[EPOCH]:
            return "another_epoch"
    if cluster is None or entries.get(CLUSTER, cluster) == cluster:
        return None
    complete = alone and mark is not None and mark.clean and mark.run == entries.get(RUN)
    return None if complete else "another_timeline"


def site(connection: Connection) -> str:
    """Return what tells this site from others on the same bus: from cluster, database and schema.

    A failover does not change it.
    """
    names = connection.execute(text("SELECT current_database(), current_schema()")).one()
    cluster = (_cluster(connection) or "").partition(":")[0]
    return sha256("\0".join((cluster, *map(str, names))).encode()).hexdigest()[:16]


# --- the file --------------------------------------------------------------------------------------------------------


def read(data: Path) -> Mark | None:
    """Return the high-water mark of the data folder, None if there is none that is readable."""
    try:
        fields: dict[str, Any] = orjson.loads((data / FILE).read_bytes())
        commit = fields["commit"]
        commit = None if commit is None else Commit(*commit)
        return Mark(fields["epoch"], fields["run"], commit, fields["clean"], fields.get("number", 0))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        logger.warning("high_water_mark_unreadable", path=str(data / FILE), reason=repr(error))
        return None


def write(data: Path, mark: Mark, *, alone: bool = True) -> None:
    """Replace the high-water mark of the data folder.

    The content is synced, the folder is not: after a power cut the file may be the one before,
    which is older but not wrong. A failure is logged: the mark is not needed to serve. A process
    that is not `alone` may share the folder with other nodes, and keeps a mark that is newer than its
    own.
    """
    try:
        with nullcontext() if alone else file_lock(data / f"{FILE}.lock"):
            present = None if alone else read(data)
            if present is None or _order(present) < _order(mark):
                _replace(data, mark)
    except OSError as error:
        logger.warning("high_water_mark_not_written", path=str(data / FILE), reason=str(error))


def _order(mark: Mark) -> tuple[int, int]:
    """Order marks in time: by epoch, then by commit. The ids of transactions begin with the time."""
    return mark.number, mark.commit.tx if mark.commit is not None else 0


def _replace(data: Path, mark: Mark) -> None:
    fields = {"epoch": mark.epoch, "run": mark.run, "commit": mark.commit, "clean": mark.clean, "number": mark.number}
    with new_file(data / FILE) as fresh:
        fresh.write_bytes(orjson.dumps({**fields, "commit": None if mark.commit is None else list(mark.commit)}))
        sync(fresh)
        fresh.replace(data / FILE)


def close(data: Path, mark: Mark, *, alone: bool = True) -> None:
    """Write the mark of a process whose journal has ended.

    It is clean only if the process was `alone`: other nodes may have committed more.
    """
    write(data, replace(mark, clean=alone), alone=alone)


def forget(data: Path) -> None:
    """Remove the mark, because a backup has replaced the database on purpose."""
    remove(data / FILE)


# --- inside ----------------------------------------------------------------------------------------------------------


def _entries(connection: Connection) -> dict[str, str]:
    wanted = meta.c.key.in_((EPOCH, RUN, CLUSTER, NUMBER))
    return {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value).where(wanted))}


def _put(connection: Connection, key: str, value: str) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = insert(meta).values(key=key, value=value)  # another process may insert it at the same time
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def _cluster(connection: Connection) -> str | None:
    """Return PostgreSQL's system identifier and timeline.

    None for SQLite, and for a PostgreSQL service that does not tell them.
    """
    if connection.dialect.name == "sqlite":
        return None
    try:
        with connection.begin_nested():
            found: str | None = connection.scalar(CLUSTER_QUERY)
            return found
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        logger.info("timeline_unknown", reason=str(error.orig))
        return None


def _seen() -> Any:
    topic, seq = bindparam("topic", type_=TEXT), bindparam("seq", type_=BIG)
    own = topics.c.topic == topic
    return select(
        meta.c.value,
        select(topics.c.head).where(own).scalar_subquery(),
        select(topics.c.floor).where(own).scalar_subquery(),
        select(log.entry_at(seq, "tx")).where(own).scalar_subquery(),
    ).where(meta.c.key == EPOCH)


SEEN = Statement(lambda _: _seen())
