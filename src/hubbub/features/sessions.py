"""Sessions: log in, be recognised at each request, refresh, log out. A signature alone opens nothing."""

from dataclasses import dataclass

from sqlalchemy import Connection

from hubbub.domain.commands import OpenSession, RevokeSessions, RotateSession, TouchSession
from hubbub.domain.errors import NeedsTopics, NotFound, Unauthenticated
from hubbub.domain.events import SessionOpened
from hubbub.domain.model import SECURITY, Actor, Role
from hubbub.storage import accounts, identities, sessions
from hubbub.storage.sessions import StoredSession
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MAX_SESSIONS = 500
"""Of one person; the one that was seen the longest ago makes room for a new one."""
TOUCH = 3_600_000
GUEST = "guest:"
HOST = "host:"
REFUSED = "The name or the password is wrong."


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """Whoever a credential stands for, at the moment of asking. Times in milliseconds."""

    id: int
    name: str
    role: Role
    session: str
    browser: bool = False
    last_seen_at: int = 0
    expires_at: int = 0

    def actor(self) -> Actor:
        return Actor(id=self.id, name=self.name, role=self.role, session=self.session)

    def is_stale(self, now: int) -> bool:
        """Whether it is time for a TouchSession."""
        return self.last_seen_at > 0 and now - self.last_seen_at >= TOUCH


def open_(command: OpenSession, actor: Actor, tx: Transaction) -> Answer:
    """The password was checked before; if it changed meanwhile, or the account was locked out, that was in vain."""
    account = accounts.find(tx.connection, command.user)
    if account is None or account.disabled or command.seen_hash != account.password_hash:
        raise Unauthenticated(REFUSED)
    present = sessions.of_user(tx.connection, account.id)
    surplus = [stored.id for stored in present[MAX_SESSIONS - 1 :]]
    if surplus and not tx.knows(SECURITY):
        raise NeedsTopics(SECURITY)
    if command.password_hash is not None:
        accounts.set_password(tx, account.id, command.password_hash)
    sessions.end(tx, account.id, surplus)
    expires_at = tx.now + min(command.idle, command.longest)
    opened = sessions.create(tx, command.session, account.id, command.token_hash, command.client, expires_at)
    tx.append(SessionOpened(person=account.id, session=opened))
    return {"user": account.profile().model_dump(), "generation": 0}


def rotate(command: RotateSession, actor: Actor, tx: Transaction) -> Answer:
    """The next generation. A stale one means that somebody else has a copy: the session ends, `generation` is None."""
    stored = sessions.find(tx.connection, command.session)
    if stored is None or stored.user != command.user or not _is_open(stored, tx.now):
        raise Unauthenticated()
    # A later one than ours is as genuine: it was given after the backup that this database was restored from.
    if command.generation >= stored.generation:
        expires_at = _expiry(stored, tx.now, command.idle, command.longest)
        sessions.rotate(tx, stored.id, command.generation + 1, expires_at)
        return {"generation": command.generation + 1}
    if command.generation == stored.generation - 1 and tx.now - stored.rotated_at <= command.grace:
        return {"generation": stored.generation}
    sessions.end(tx, stored.user, [stored.id])
    return {"generation": None}


def touch(command: TouchSession, actor: Actor, tx: Transaction) -> Answer:
    stored = sessions.find(tx.connection, command.session)
    if stored is not None and stored.user == command.user and _is_open(stored, tx.now):
        sessions.touch(tx, stored.id, _expiry(stored, tx.now, command.idle, command.longest))
    return {}


def revoke(command: RevokeSessions, actor: Actor, tx: Transaction) -> Answer:
    """Ends one session of the actor's own, or all but `keep`. Raises NotFound for one that is not there."""
    own = [stored.id for stored in sessions.of_user(tx.connection, actor.id)]
    if command.session is not None and command.session not in own:
        raise NotFound()
    wanted = [command.session] if command.session is not None else [s for s in own if s != command.keep]
    sessions.end(tx, actor.id, wanted)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def resolve(connection: Connection, reference: str, now: int) -> AuthenticatedUser | None:
    """Whose `reference` is: a session's id (out of a verified token) or the SHA-256 of a cookie. One indexed read.

    None for a session that ended or expired, and for everybody who is locked out.
    """
    if reference.startswith(GUEST):
        return _guest(connection, int(reference.removeprefix(GUEST)))
    if reference.startswith(HOST):
        return _hosted(connection, reference)
    stored = sessions.find_by_reference(connection, reference)
    if stored is None or not _is_open(stored, now):
        return None
    return AuthenticatedUser(
        stored.user, stored.name, stored.role, stored.id, stored.browser, stored.last_seen_at, stored.expires_at
    )


def guest(user: int, name: str) -> AuthenticatedUser:
    """Somebody who came in without a password: the connection is the session, under a name no session can have."""
    return AuthenticatedUser(user, name, Role.GUEST, f"{GUEST}{user}")


def hosted(user: int, name: str, role: Role, seen: int) -> AuthenticatedUser:
    """Somebody whom the app around this one recognised: `seen` is where the security topic stood before it did."""
    return AuthenticatedUser(user, name, role, f"{HOST}{user}:{seen}")


def began_before(session: str, seq: int) -> bool:
    """Whether a session of `hosted` began before that position of the security topic; False for other sessions."""
    return session.startswith(HOST) and int(session.rpartition(":")[2]) < seq


def owner(connection: Connection, session: str) -> int | None:
    """Whose session it is, whatever its state."""
    stored = sessions.find(connection, session)
    return None if stored is None else stored.user


def listing(connection: Connection, user: int, current: str | None, now: int) -> dict[str, object]:
    """The person's sessions, the most recently seen first."""
    found = sessions.of_user(connection, user)
    return {"sessions": [stored.model(current).model_dump() for stored in found if _is_open(stored, now)]}


def expired(connection: Connection, now: int, limit: int = 100) -> list[tuple[int, str]]:
    """(user, session) of sessions that ran out and are to be revoked, so that their sockets close too."""
    return [(stored.user, stored.id) for stored in sessions.expired(connection, now, limit)]


def _guest(connection: Connection, user: int) -> AuthenticatedUser | None:
    found = accounts.find(connection, user)
    if found is None or found.role is not Role.GUEST or found.disabled:
        return None
    return guest(found.id, found.name)


def _hosted(connection: Connection, reference: str) -> AuthenticatedUser | None:
    user, _, seen = reference.removeprefix(HOST).partition(":")
    found = accounts.find(connection, int(user))
    if found is None or found.disabled or identities.last_revoked(connection, found.id) > int(seen):
        return None
    return hosted(found.id, found.name, found.role, int(seen))


def _is_open(stored: StoredSession, now: int) -> bool:
    return not stored.disabled and stored.expires_at > now


def _expiry(stored: StoredSession, now: int, idle: int, longest: int) -> int:
    return min(now + idle, stored.created_at + longest)
