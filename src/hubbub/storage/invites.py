"""Invites and one-time tokens.

Only hashes of the tokens are stored. One conditional statement uses a token.
"""

from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from hubbub.domain.model import Invite
from hubbub.domain.text import timestamp
from hubbub.storage.schema import USED_UP, invites, links, rooms
from hubbub.storage.transaction import Transaction


class NewInvite(NamedTuple):
    """The values of a new invite.

    `room` is the room that it leads to; `signup` is True if it permits sign-up.
    """

    id: str
    token_hash: str
    max_uses: int | None
    created_by: int
    expires_at: int | None
    room: int | None
    signup: bool


class InvitePosition(NamedTuple):
    """The end of a page, by values that stay valid if the invite there is deleted."""

    created_at: int
    id: str


class InviteGrant(NamedTuple):
    """What an invite permits, or permitted while it was `open`."""

    open: bool
    room: int | None
    """None for the site alone. `name` and `archived` are those of the room."""
    signup: bool
    name: str | None
    archived: bool


def create(tx: Transaction, new: NewInvite) -> Invite:
    tx.execute(insert(invites).values(**new._asdict(), created_at=tx.now, uses=0))
    row = tx.connection.execute(select(invites).where(invites.c.id == new.id)).one()
    return _model(row)


def redeem(tx: Transaction, token_hash: str) -> bool:
    """Use an invite once; return False if it has no use left.

    This is correct without a lock, since the condition is checked on the row itself.
    """
    statement = update(invites).where(invites.c.token_hash == token_hash, _usable(tx.now))
    done = tx.connection.execute(statement.values(uses=invites.c.uses + 1, used_at=tx.now)).rowcount
    tx.writes += done
    return done == 1


def grant(connection: Connection, token_hash: str, now: int) -> InviteGrant | None:
    """Return what the invite with this token permits.

    Returns None if there is no such invite, or if it was revoked.
    """
    query = select(_usable(now), invites.c.room, invites.c.signup, rooms.c.name, rooms.c.archived)
    query = query.select_from(invites).outerjoin(rooms, rooms.c.id == invites.c.room)
    row = connection.execute(query.where(invites.c.token_hash == token_hash)).first()
    return None if row is None else InviteGrant(bool(row[0]), row.room, bool(row.signup), row.name, bool(row.archived))


def find(connection: Connection, invite: str) -> Invite | None:
    """Return an invite by its id, usable or not."""
    row = connection.execute(select(invites).where(invites.c.id == invite)).first()
    return None if row is None else _model(row)


def listing(
    connection: Connection, room: int | None, now: int, before: InvitePosition | None, limit: int
) -> list[Invite]:
    """Return a page of the usable invites to a room, the newest first.

    `room` is None for invites to the site alone.
    """
    newest_first = (invites.c.created_at.desc(), invites.c.id)
    query = select(invites).where(_into(room), _usable(now)).order_by(*newest_first).limit(limit)
    if before is not None:
        same = and_(invites.c.created_at == before.created_at, invites.c.id > before.id)
        query = query.where(or_(invites.c.created_at < before.created_at, same))
    return [_model(row) for row in connection.execute(query)]


def count(connection: Connection, room: int | None, now: int, limit: int) -> int:
    """Count the usable invites to a room (None: to the site alone), up to `limit`."""
    return len(connection.execute(select(invites.c.id).where(_into(room), _usable(now)).limit(limit)).all())


def remove(tx: Transaction, invite: str) -> bool:
    done = tx.connection.execute(delete(invites).where(invites.c.id == invite)).rowcount
    tx.writes += done
    return done == 1


def remove_by(tx: Transaction, author: int) -> None:
    """Delete all invites of a user whose account is disabled or deleted."""
    tx.execute(delete(invites).where(invites.c.created_by == author))


def remove_of_staff(tx: Transaction, author: int) -> None:
    """Delete the invites that permit sign-up, of a user who is no longer staff."""
    tx.execute(delete(invites).where(invites.c.created_by == author, invites.c.signup.is_(True)))


def remove_into(tx: Transaction, room: int, author: int) -> None:
    """Delete a user's invites to a room, when they lose the right to create them."""
    tx.execute(delete(invites).where(invites.c.room == room, invites.c.created_by == author))


def remove_ended(tx: Transaction, before: int, limit: int) -> int:
    """Delete at most `limit` ended invites; return how many.

    These were used up or expired before `before`. Each of the two has its own index.
    """
    gone = 0
    for ended in (invites.c.expires_at < before, and_(text(USED_UP), invites.c.used_at < before)):
        some = select(invites.c.id).where(ended).limit(limit - gone)
        gone += tx.execute(delete(invites).where(invites.c.id.in_(some))).rowcount
    return gone


def remove_expired_tokens(tx: Transaction, before: int, limit: int) -> int:
    """Delete at most `limit` one-time tokens that expired before `before`; return how many."""
    expired = select(links.c.token_hash).where(links.c.expires_at < before).limit(limit)
    return tx.execute(delete(links).where(links.c.token_hash.in_(expired))).rowcount


def create_one_time_token(
    tx: Transaction, purpose: str, token_hash: str, user: int | None, expires_at: int | None
) -> None:
    """Store a one-time token and remove earlier ones for the same purpose and user."""
    remove_one_time_tokens(tx, purpose, user)
    values = {"token_hash": token_hash, "purpose": purpose, "user": user, "created_at": tx.now}
    tx.execute(insert(links).values(**values, expires_at=expires_at))


def remove_one_time_tokens(tx: Transaction, purpose: str, user: int | None) -> None:
    of_user = links.c.user.is_(None) if user is None else links.c.user == user
    tx.execute(delete(links).where(links.c.purpose == purpose, of_user))


def one_time_token_user(connection: Connection, purpose: str, token_hash: str, now: int) -> tuple[bool, int | None]:
    """Return (whether there is such a token, its user)."""
    row = connection.execute(select(links.c.user).where(_is_one_time_token(purpose, token_hash, now))).first()
    return (False, None) if row is None else (True, row.user)


def use_one_time_token(tx: Transaction, purpose: str, token_hash: str) -> bool:
    """Use a one-time token; return whether it was valid.

    A token is invalid if it does not exist, has expired or was used before.
    """
    done = tx.connection.execute(delete(links).where(_is_one_time_token(purpose, token_hash, tx.now))).rowcount
    tx.writes += done
    return done == 1


def _into(room: int | None) -> ColumnElement[bool]:
    return invites.c.room.is_(None) if room is None else invites.c.room == room


def _usable(now: int) -> ColumnElement[bool]:
    return and_(
        or_(invites.c.max_uses.is_(None), invites.c.uses < invites.c.max_uses),
        or_(invites.c.expires_at.is_(None), invites.c.expires_at > now),
    )


def _is_one_time_token(purpose: str, token_hash: str, now: int) -> ColumnElement[bool]:
    fresh = or_(links.c.expires_at.is_(None), links.c.expires_at > now)
    return and_(links.c.token_hash == token_hash, links.c.purpose == purpose, fresh)


def _model(row: Row[Any]) -> Invite:
    return Invite(
        id=row.id,
        uses=row.uses,
        max_uses=row.max_uses,
        created_by=row.created_by,
        created_at=timestamp(row.created_at),
        expires_at=None if row.expires_at is None else timestamp(row.expires_at),
        room=row.room,
        signup=bool(row.signup),
    )
