"""The statuses that users have chosen. A user without a row has chosen "online"."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, and_, delete, insert, literal, select
from sqlalchemy import cast as sql_cast

from hubbub.domain.model import Status
from hubbub.domain.text import timestamp
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import statuses, topics
from hubbub.storage.transaction import Transaction

ONLINE = Status(status="online")


def of(connection: Connection, users: Sequence[int], now: int) -> dict[int, tuple[Status, int]]:
    """Return each user's status, and the head of their own topic. One statement."""
    found: dict[int, tuple[Status, int]] = dict.fromkeys(users, (ONLINE, 0))
    for user, head, *chosen in OF.rows(connection, rows=rows.encode([(user,) for user in users])):
        found[user] = (_status(chosen, now), head or 0)
    return found


def put(tx: Transaction, user: int, chosen: Status, until: int | None) -> None:
    """Replace the user's status. `until` is `chosen.until` in milliseconds."""
    tx.execute(delete(statuses).where(statuses.c.user == user))
    if chosen != ONLINE:
        values = {"status": chosen.status, "text": chosen.text or "", "emoji": chosen.emoji, "until": until}
        tx.execute(insert(statuses).values(user=user, **values))


def forget(tx: Transaction, user: int) -> bool:
    """Delete the status of a deleted account. Returns whether there was one."""
    done = tx.connection.execute(delete(statuses).where(statuses.c.user == user)).rowcount
    tx.writes += done
    return done > 0


def _status(row: Sequence[Any], now: int) -> Status:
    status, text, emoji, until = row
    if status is None or (until is not None and until <= now):
        return ONLINE
    return Status(status=status, text=text or None, emoji=emoji, until=None if until is None else timestamp(until))


def _of(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"user": BIG})
    user = wanted["user"]
    return (
        select(user, topics.c.head, statuses.c.status, statuses.c.text, statuses.c.emoji, statuses.c.until)
        .select_from(wanted.source)
        .outerjoin(topics, topics.c.topic == literal("user:", TEXT).concat(sql_cast(user, TEXT)))
        .outerjoin(statuses, and_(statuses.c.user == user))
    )


OF = Statement(_of)
