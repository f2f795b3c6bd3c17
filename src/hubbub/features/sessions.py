"""Sessions: log in, authenticate requests, refresh, log out.

A valid signature does not authenticate a request by itself: the session is looked up each time.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from hubbub.domain.commands import OpenSession, RevokeSessions, RotateSession, TouchSession
from hubbub.domain.errors import NeedsTopics, NotFound, Unauthenticated
from hubbub.domain.events import SessionOpened
from hubbub.domain.model import SECURITY, Actor, Generation, Nothing, Role, SessionAnswer
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.sessions import end_sessions
from hubbub.storage import accounts, identities, sessions
from hubbub.storage.sessions import StoredSession
from hubbub.storage.transaction import Transaction

MAX_SESSIONS = 500
"""Sessions per user. A new session replaces the one that has not been used for the longest time."""
TOUCH = 3_600_000
"""Milliseconds between two updates of when a session was last seen, while it has a connection."""
MINUTE = 60_000
"""The same for requests, and for the end of a connection."""
GUEST = "guest:"
HOST = "host:"
REFUSED = "Incorrect username or password."


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """The user a credential belongs to, as read now. Times are in milliseconds."""

    id: int
    name: str
    role: Role
    session: str
    browser: bool = False
    last_seen_at: int = 0
    expires_at: int = 0
    rotated_at: int | None = None
    """When the tokens were refreshed, as long as the new ones were not used."""

    def actor(self) -> Actor:
        return Actor(id=self.id, name=self.name, role=self.role, session=self.session)

    def confirms(self, issued_at: int | None) -> bool:
        """Return True if an access token that was issued then is the first use of the newest pair.

        `issued_at` is in seconds, None for a cookie.
        """
        return self.rotated_at is not None and _is_newest(issued_at, self.rotated_at)

    def is_stale(self, now: int, after: int = TOUCH) -> bool:
        """Return True if it is time for a TouchSession."""
        return self.last_seen_at > 0 and now - self.last_seen_at >= after


@handles(OpenSession)
def open_(request: Request[OpenSession], tx: Transaction) -> SessionAnswer:
    """Open a session. The gateway has checked the password against `seen_hash`.

    Raises Unauthenticated if the password has changed since, or the account was disabled.
    """
    command = request.command
    account = accounts.find(tx.connection, command.user)
    if account is None or account.disabled or command.seen_hash != account.password_hash:
        raise Unauthenticated(REFUSED)
    current = sessions.of_user(tx.connection, account.id)
    surplus = [stored.id for stored in current[MAX_SESSIONS - 1 :]]
    if surplus and not tx.knows(SECURITY):
        raise NeedsTopics(SECURITY)
    if command.password_hash is not None:
        accounts.set_password(tx, account.id, command.password_hash)
    end_sessions(tx, account.id, surplus)
    expires_at = tx.now + min(command.idle, command.longest)
    opened = sessions.create(tx, command.session, account.id, command.token_hash, command.client, expires_at)
    tx.append(SessionOpened(person=account.id, session=opened.id, details=opened))
    return {"user": account.profile(), "generation": 0}


@handles(RotateSession)
def rotate(request: Request[RotateSession], tx: Transaction) -> Generation:
    """Refresh a session and answer with its next generation.

    The former token returns the same pair again for the time of `command.grace`, since several
    requests may be under way with it, and until the new pair is used, since the answer may have been
    lost. After that it means that the token was copied: the session ends and the answer is None.
    """
    command = request.command
    stored = sessions.find(tx.connection, command.session)
    if stored is None or stored.user != command.user or not _is_open(stored, tx.now):
        raise Unauthenticated()
    # A later generation is genuine, too: it was issued after the backup this database comes from.
    if command.generation >= stored.generation:
        expires_at = _expiry(stored, tx.now, command.idle, command.longest)
        sessions.rotate(tx, stored.id, command.generation + 1, expires_at)
        return {"generation": command.generation + 1}
    recent = not stored.confirmed or tx.now - stored.rotated_at <= command.grace
    if command.generation == stored.generation - 1 and recent:
        return {"generation": stored.generation}
    end_sessions(tx, stored.user, [stored.id])
    return {"generation": None}


@handles(TouchSession)
def touch(request: Request[TouchSession], tx: Transaction) -> Nothing:
    command = request.command
    stored = sessions.find(tx.connection, command.session)
    if stored is not None and stored.user == command.user and _is_open(stored, tx.now):
        expires_at = _expiry(stored, tx.now, command.idle, command.longest)
        sessions.touch(tx, stored.id, expires_at, confirmed=_is_newest(command.issued_at, stored.rotated_at))
    return {}


@handles(RevokeSessions)
def revoke(request: Request[RevokeSessions], tx: Transaction) -> Nothing:
    """End one of the actor's sessions, or all except `keep`.

    Raises NotFound for an unknown session.
    """
    command, actor = request.command, request.actor
    own = [stored.id for stored in sessions.of_user(tx.connection, actor.id)]
    if command.session is not None and command.session not in own:
        raise NotFound()
    ended = [command.session] if command.session is not None else [s for s in own if s != command.keep]
    end_sessions(tx, actor.id, ended)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def resolve(connection: Connection, reference: str, now: int) -> AuthenticatedUser | None:
    """Return the user of a session. One indexed read.

    `reference` is a session's id from a verified token, or the SHA-256 of a cookie. Returns None if
    the session has ended or expired, or the account is disabled.
    """
    if reference.startswith(GUEST):
        return _guest(connection, int(reference.removeprefix(GUEST)))
    if reference.startswith(HOST):
        return _hosted(connection, reference)
    stored = sessions.find_by_reference(connection, reference)
    if stored is None or not _is_open(stored, now):
        return None
    return AuthenticatedUser(
        stored.user, stored.name, stored.role, stored.id, stored.browser, stored.last_seen_at, stored.expires_at,
        None if stored.confirmed else stored.rotated_at,
    )  # fmt: skip


def guest(user: int, name: str) -> AuthenticatedUser:
    """Return a guest.

    Their connection is the session; its id has a prefix that no stored session has.
    """
    return AuthenticatedUser(user, name, Role.GUEST, f"{GUEST}{user}")


def hosted(user: int, name: str, role: Role, seen: int) -> AuthenticatedUser:
    """Return a user authenticated by the host application.

    `seen` is the head of the security topic, read before the host application authenticated the
    user.
    """
    return AuthenticatedUser(user, name, role, f"{HOST}{user}:{seen}")


def began_before(session: str, seq: int) -> bool:
    """Return True if a session of `hosted` began before `seq` in the security topic.

    False for other sessions.
    """
    return session.startswith(HOST) and int(session.rpartition(":")[2]) < seq


def owner(connection: Connection, session: str) -> int | None:
    """Return the session's user, whatever the session's state; None if unknown."""
    stored = sessions.find(connection, session)
    return None if stored is None else stored.user


def listing(connection: Connection, user: int, current: str | None, now: int) -> dict[str, object]:
    """Return the user's open sessions, the most recently used first."""
    found = sessions.of_user(connection, user)
    return {"sessions": [stored.model(current).model_dump() for stored in found if _is_open(stored, now)]}


def expired(connection: Connection, now: int, limit: int = 100) -> list[tuple[int, str]]:
    """Return (user, session) of expired sessions.

    They need a revocation, which closes connections.
    """
    return sessions.expired(connection, now, limit)


def _guest(connection: Connection, user: int) -> AuthenticatedUser | None:
    account = accounts.find(connection, user)
    if account is None or account.role is not Role.GUEST or account.disabled:
        return None
    return guest(account.id, account.name)


def _hosted(connection: Connection, reference: str) -> AuthenticatedUser | None:
    user, _, seen = reference.removeprefix(HOST).partition(":")
    account = accounts.find(connection, int(user))
    if account is None or account.disabled or identities.last_revoked(connection, account.id) > int(seen):
        return None
    return hosted(account.id, account.name, account.role, int(seen))


def _is_open(stored: StoredSession, now: int) -> bool:
    return not stored.disabled and stored.expires_at > now


def _is_newest(issued_at: int | None, rotated_at: int) -> bool:
    """Return whether an access token was issued at the last refresh or since. Tokens have whole seconds."""
    return issued_at is not None and issued_at >= rotated_at // 1000


def _expiry(stored: StoredSession, now: int, idle: int, longest: int) -> int:
    return min(now + idle, stored.created_at + longest)
