"""Webhooks and their last attempts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Text, cast, delete, exists, func, insert, literal, select, update

from hubbub.domain.commands.webhooks import Attempt
from hubbub.domain.model import Role
from hubbub.domain.text import MAX_ATTEMPTS_KEPT
from hubbub.storage.schema import followers, rooms, users, webhook_attempts, webhooks
from hubbub.storage.transaction import Transaction


class StoredWebhook(NamedTuple):
    """A row of the table `webhooks`, in the order of its columns."""

    id: int
    room: int | None
    name: str
    url: str
    events: tuple[str, ...]
    secret: str
    previous_secret: str | None
    rotated_at: int | None
    created_by: int
    responsible: int
    created_at: int
    paused_reason: str | None


class NewWebhook(NamedTuple):
    """The values of a new webhook."""

    room: int | None
    name: str
    url: str
    events: Sequence[str]
    secret: str
    created_by: int


def find(connection: Connection, webhook: int) -> StoredWebhook | None:
    row = connection.execute(select(webhooks).where(webhooks.c.id == webhook)).first()
    return None if row is None else _stored(row)


def listing(connection: Connection, room: int | None) -> list[StoredWebhook]:
    """Return the webhooks of a room (None: of the site), the oldest first. There are few."""
    query = select(webhooks).where(_of(room)).order_by(webhooks.c.id)
    return [_stored(row) for row in connection.execute(query)]


def scopes(connection: Connection) -> list[tuple[int, int | None]]:
    """Return (id, room) of all webhooks, by id."""
    query = select(webhooks.c.id, webhooks.c.room).order_by(webhooks.c.id)
    return [(row.id, row.room) for row in connection.execute(query)]


def without_webhook(connection: Connection, prefix: str) -> list[str]:
    """Return the names of followers that begin with `prefix` and have no webhook any more."""
    named = func.substr(followers.c.name, 1, len(prefix)) == prefix
    found = connection.scalars(select(followers.c.name).where(named).order_by(followers.c.name)).all()
    present = {f"{prefix}{webhook}" for webhook, _ in scopes(connection)}
    return [name for name in found if name not in present]


def count(connection: Connection, room: int | None) -> int:
    return connection.execute(select(func.count()).select_from(webhooks).where(_of(room))).scalar_one()


def count_all(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(webhooks)).scalar_one()


def add(tx: Transaction, new: NewWebhook) -> int:
    """Store a webhook; return its id (below 2^53)."""
    webhook = tx.ids.next_public()
    values = {**new._asdict(), "events": _encoded(new.events), "responsible": new.created_by}
    tx.execute(insert(webhooks).values(id=webhook, **values, created_at=tx.now))
    return webhook


def change(tx: Transaction, webhook: int, **values: Any) -> None:
    if "events" in values:
        values["events"] = _encoded(values["events"])
    tx.execute(update(webhooks).where(webhooks.c.id == webhook).values(**values))


def remove(tx: Transaction, webhook: int) -> None:
    """Delete a webhook and its attempts."""
    tx.execute(delete(webhook_attempts).where(webhook_attempts.c.webhook == webhook))
    tx.execute(delete(webhooks).where(webhooks.c.id == webhook))


def pause_all(connection: Connection, prefix: str, reason: str) -> None:
    """Pause all webhooks that run. The names of their followers are `prefix` and the id."""
    follower = literal(prefix) + cast(webhooks.c.id, Text)
    runs = exists().where(followers.c.name == follower, followers.c.state == "running")
    connection.execute(update(webhooks).where(runs).values(paused_reason=reason))
    named = func.substr(followers.c.name, 1, len(prefix)) == prefix
    connection.execute(update(followers).where(named, followers.c.state == "running").values(state="paused"))


def is_open_to_all(connection: Connection, room: int) -> bool:
    """Return whether the room is public."""
    return bool(connection.scalar(select(exists().where(rooms.c.id == room, rooms.c.kind == "public"))))


def responsible_of(connection: Connection, user: int) -> tuple[str, Role] | None:
    """Return the name and the role of a user who may act; None if their account is disabled or deleted."""
    row = connection.execute(select(users.c.name, users.c.role).where(users.c.id == user, ~users.c.disabled)).first()
    return None if row is None else (row.name, Role(row.role))


# --- attempts --------------------------------------------------------------------------------------------------------


def add_attempts(tx: Transaction, webhook: int, attempts: Sequence[Attempt]) -> None:
    """Store attempts, and keep the last MAX_ATTEMPTS_KEPT of the webhook."""
    own = webhook_attempts
    kept = attempts[-MAX_ATTEMPTS_KEPT:]
    tx.execute(insert(own), [{"webhook": webhook, "id": tx.ids.next(), **each._asdict()} for each in kept])
    of_webhook = own.c.webhook == webhook
    oldest = select(own.c.id).where(of_webhook).order_by(own.c.id.desc()).offset(MAX_ATTEMPTS_KEPT).limit(1)
    last = tx.connection.scalar(oldest)
    if last is not None:
        tx.execute(delete(own).where(of_webhook, own.c.id <= last))


def attempts_of(connection: Connection, webhook: int, limit: int) -> list[Attempt]:
    """Return the last attempts, the newest first."""
    own = webhook_attempts
    columns = [own.c[name] for name in Attempt._fields]
    query = select(*columns).where(own.c.webhook == webhook).order_by(own.c.id.desc()).limit(limit)
    return [Attempt(*row) for row in connection.execute(query)]


def _of(room: int | None) -> ColumnElement[bool]:
    return webhooks.c.room.is_(None) if room is None else webhooks.c.room == room


def _encoded(events: Sequence[str]) -> str:
    return orjson.dumps(list(events)).decode()


def _stored(row: Any) -> StoredWebhook:
    found = StoredWebhook(*row)
    return found._replace(events=tuple(orjson.loads(row.events)))
