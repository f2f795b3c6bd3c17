"""Sessions: who is logged in where, and until when. Of a browser's cookie only the SHA-256 is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, or_, select, update

from hubbub.domain.events import SessionClosed, SessionRevoked
from hubbub.domain.model import Role, Session
from hubbub.domain.text import timestamp
from hubbub.storage.schema import sessions, users
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Stored:
    """A session with its person. Times in milliseconds."""

    id: str
    user: int
    name: str
    role: Role
    disabled: bool
    browser: bool
    generation: int
    rotated_at: int
    client: str
    created_at: int
    last_seen_at: int
    expires_at: int

    def model(self, current: str | None) -> Session:
        """As its person sees it; `current` is the id of the session that asks."""
        return Session(
            id=self.id,
            kind="browser" if self.browser else "token",
            client=self.client,
            created_at=timestamp(self.created_at),
            last_seen_at=timestamp(self.last_seen_at),
            expires_at=timestamp(self.expires_at),
            current=self.id == current,
        )


def find(connection: Connection, session: str) -> Stored | None:
    return _stored(connection.execute(_sessions().where(sessions.c.id == session)).first())


def find_by_reference(connection: Connection, reference: str) -> Stored | None:
    """By session id or hash of a cookie: both indexed, never mistaken for each other (22 and 64 characters)."""
    found = _sessions().where(or_(sessions.c.id == reference, sessions.c.token_hash == reference))
    return _stored(connection.execute(found).first())


def of_user(connection: Connection, user: int) -> list[Stored]:
    """The most recently seen first."""
    query = _sessions().where(sessions.c.user == user).order_by(sessions.c.last_seen_at.desc(), sessions.c.id)
    return [stored for row in connection.execute(query) if (stored := _stored(row)) is not None]


def expired(connection: Connection, now: int, limit: int) -> list[Stored]:
    query = _sessions().where(sessions.c.expires_at <= now).limit(limit)
    return [stored for row in connection.execute(query) if (stored := _stored(row)) is not None]


def create(tx: Transaction, session: str, user: int, token_hash: str | None, client: str, expires_at: int) -> Session:
    tx.execute(
        insert(sessions).values(
            id=session, user=user, browser=token_hash is not None, token_hash=token_hash, generation=0,
            rotated_at=tx.now, client=client, created_at=tx.now, last_seen_at=tx.now, expires_at=expires_at,
        )
    )  # fmt: skip
    found = find(tx.connection, session)
    assert found is not None, "it was written just now"
    return found.model(None)


def renew_cookie(tx: Transaction, session: str, token_hash: str) -> None:
    """A new credential for the same session; the old one opens nothing any more."""
    tx.execute(
        update(sessions).where(sessions.c.id == session, sessions.c.browser.is_(True)).values(token_hash=token_hash)
    )


def rotate(tx: Transaction, session: str, generation: int, expires_at: int) -> None:
    values = {"generation": generation, "rotated_at": tx.now, "last_seen_at": tx.now, "expires_at": expires_at}
    tx.execute(update(sessions).where(sessions.c.id == session).values(**values))


def touch(tx: Transaction, session: str, expires_at: int) -> None:
    tx.execute(update(sessions).where(sessions.c.id == session).values(last_seen_at=tx.now, expires_at=expires_at))


def end(tx: Transaction, user: int, ended: Sequence[str]) -> None:
    """Ends sessions of one person and says so: to every node, which closes their sockets, and to the person."""
    if not ended:
        return
    tx.execute(delete(sessions).where(sessions.c.user == user, sessions.c.id.in_(ended)))
    for session in ended:
        tx.append(SessionRevoked(session=session, user=user))
        tx.append(SessionClosed(person=user, session=session))


def _sessions() -> Select[Any]:
    return select(sessions, users.c.name, users.c.role, users.c.disabled).join_from(
        sessions, users, users.c.id == sessions.c.user
    )


def _stored(row: Row[Any] | None) -> Stored | None:
    if row is None:
        return None
    return Stored(
        id=row.id, user=row.user, name=row.name, role=Role(row.role), disabled=row.disabled, browser=row.browser,
        generation=row.generation, rotated_at=row.rotated_at, client=row.client, created_at=row.created_at,
        last_seen_at=row.last_seen_at, expires_at=row.expires_at,
    )  # fmt: skip
