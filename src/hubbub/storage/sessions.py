"""Sessions: which users are logged in, on which device, and until when.

Only the SHA-256 of a browser's cookie is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, delete, insert, select, update

from hubbub.domain.model import Role, Session
from hubbub.domain.text import timestamp
from hubbub.storage.database import Statement
from hubbub.storage.schema import sessions, users
from hubbub.storage.transaction import Transaction

HASH_LENGTH = 64
"""The characters of a SHA-256 in hexadecimal."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session with its user. Times are in milliseconds."""

    id: str
    user: int
    name: str
    role: Role
    disabled: bool
    browser: bool
    generation: int
    rotated_at: int
    confirmed: bool
    client: str
    created_at: int
    last_seen_at: int
    expires_at: int

    def model(self, current: str | None) -> Session:
        """Return the session as its user sees it.

        `current` is the id of the caller's session.
        """
        return Session(
            id=self.id,
            kind="browser" if self.browser else "token",
            client=self.client,
            created_at=timestamp(self.created_at),
            last_seen_at=timestamp(self.last_seen_at),
            expires_at=timestamp(self.expires_at),
            current=self.id == current,
        )


def find(connection: Connection, session: str) -> StoredSession | None:
    return _stored_session(FIND.row(connection, session=session))


def find_by_reference(connection: Connection, reference: str) -> StoredSession | None:
    """Return the session with this id or this hash of its cookie.

    They cannot be mistaken for each other: an id has 22 characters, a hash has 64. So each lookup
    is one search in one index.
    """
    if len(reference) == HASH_LENGTH:
        return _stored_session(FIND_BY_HASH.row(connection, hash=reference))
    return find(connection, reference)


def of_user(connection: Connection, user: int) -> list[StoredSession]:
    """Return the user's sessions, the most recently seen first."""
    query = _sessions().where(sessions.c.user == user).order_by(sessions.c.last_seen_at.desc(), sessions.c.id)
    return [stored for row in connection.execute(query) if (stored := _stored_session(row)) is not None]


def expired(connection: Connection, now: int, limit: int) -> list[tuple[int, str]]:
    """Return (user, session) of sessions that have expired, the earliest first."""
    query = select(sessions.c.user, sessions.c.id).where(sessions.c.expires_at <= now)
    return [(row.user, row.id) for row in connection.execute(query.order_by(sessions.c.expires_at).limit(limit))]


def create(tx: Transaction, session: str, user: int, token_hash: str | None, client: str, expires_at: int) -> Session:
    tx.execute(
        insert(sessions).values(
            id=session, user=user, browser=token_hash is not None, token_hash=token_hash, generation=0,
            rotated_at=tx.now, client=client, created_at=tx.now, last_seen_at=tx.now, expires_at=expires_at,
        )
    )  # fmt: skip
    found = find(tx.connection, session)
    assert found is not None, "it has just been inserted"
    return found.model(None)


def renew_cookie(tx: Transaction, session: str, token_hash: str) -> None:
    """Replace the credential of a session. The old cookie is no longer valid."""
    tx.execute(
        update(sessions).where(sessions.c.id == session, sessions.c.browser.is_(True)).values(token_hash=token_hash)
    )


def rotate(tx: Transaction, session: str, generation: int, expires_at: int) -> None:
    values = {"generation": generation, "rotated_at": tx.now, "confirmed": False, "last_seen_at": tx.now,
              "expires_at": expires_at}  # fmt: skip
    tx.execute(update(sessions).where(sessions.c.id == session).values(**values))


def touch(tx: Transaction, session: str, expires_at: int, *, confirmed: bool) -> None:
    """Note that the session is in use; `confirmed`, if with the newest tokens."""
    values: dict[str, object] = {"last_seen_at": tx.now, "expires_at": expires_at}
    if confirmed:
        values["confirmed"] = True
    tx.execute(update(sessions).where(sessions.c.id == session).values(**values))


def delete_all(tx: Transaction, user: int, ended: Sequence[str]) -> None:
    """Delete sessions of one user."""
    tx.execute(delete(sessions).where(sessions.c.user == user, sessions.c.id.in_(ended)))


def _sessions() -> Select[Any]:
    """Select the columns in the order of the fields of StoredSession."""
    return select(
        sessions.c.id, sessions.c.user, users.c.name, users.c.role, users.c.disabled, sessions.c.browser,
        sessions.c.generation, sessions.c.rotated_at, sessions.c.confirmed, sessions.c.client,
        sessions.c.created_at, sessions.c.last_seen_at, sessions.c.expires_at,
    ).join_from(sessions, users, users.c.id == sessions.c.user)  # fmt: skip


def _stored_session(row: Sequence[Any] | None) -> StoredSession | None:
    if row is None:
        return None
    id_, user, name, role, disabled, browser, generation, rotated_at, confirmed, *rest = row
    flags = Role(role), bool(disabled), bool(browser)
    return StoredSession(id_, user, name, *flags, generation, rotated_at, bool(confirmed), *rest)


FIND = Statement(lambda _: _sessions().where(sessions.c.id == bindparam("session", type_=Text)))
FIND_BY_HASH = Statement(lambda _: _sessions().where(sessions.c.token_hash == bindparam("hash", type_=Text)))
