"""Invites and one-time links. Only hashes of their tokens are stored; using one up is one conditional statement."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from hubbub.domain.model import Invite
from hubbub.domain.text import timestamp
from hubbub.storage.schema import invites, links
from hubbub.storage.transaction import Transaction


def create(
    tx: Transaction, invite: str, token_hash: str, max_uses: int | None, author: int, expires_at: int | None
) -> Invite:
    values = {"id": invite, "max_uses": max_uses, "created_by": author, "created_at": tx.now, "expires_at": expires_at}
    tx.execute(insert(invites).values(**values, token_hash=token_hash, uses=0))
    row = tx.connection.execute(select(invites).where(invites.c.id == invite)).one()
    return _model(row)


def redeem(tx: Transaction, token_hash: str) -> bool:
    """Takes one use; False if there is none left. Right without any lock: the row decides, not what was read before."""
    statement = update(invites).where(invites.c.token_hash == token_hash, _usable(tx.now))
    done = tx.connection.execute(statement.values(uses=invites.c.uses + 1)).rowcount
    tx.writes += done
    return done == 1


def usable(connection: Connection, token_hash: str, now: int) -> bool:
    query = select(invites.c.id).where(invites.c.token_hash == token_hash, _usable(now))
    return connection.scalar(query) is not None


def listing(connection: Connection, now: int, limit: int) -> list[Invite]:
    """The invites that still open a door, the newest first."""
    query = select(invites).where(_usable(now)).order_by(invites.c.created_at.desc(), invites.c.id).limit(limit)
    return [_model(row) for row in connection.execute(query)]


def count(connection: Connection, now: int, limit: int) -> int:
    """How many can be used, at most `limit`."""
    return len(connection.execute(select(invites.c.id).where(_usable(now)).limit(limit)).all())


def remove(tx: Transaction, invite: str) -> bool:
    done = tx.connection.execute(delete(invites).where(invites.c.id == invite)).rowcount
    tx.writes += done
    return done == 1


def remove_by(tx: Transaction, author: int) -> None:
    """The invites of somebody who goes do not stay."""
    tx.execute(delete(invites).where(invites.c.created_by == author))


def create_link(tx: Transaction, purpose: str, token_hash: str, user: int | None, expires_at: int | None) -> None:
    """A new link takes the place of earlier ones for the same purpose and person."""
    remove_links(tx, purpose, user)
    values = {"token_hash": token_hash, "purpose": purpose, "user": user, "created_at": tx.now}
    tx.execute(insert(links).values(**values, expires_at=expires_at))


def remove_links(tx: Transaction, purpose: str, user: int | None) -> None:
    whose = links.c.user.is_(None) if user is None else links.c.user == user
    tx.execute(delete(links).where(links.c.purpose == purpose, whose))


def link_owner(connection: Connection, purpose: str, token_hash: str, now: int) -> tuple[bool, int | None]:
    """(whether there is such a link, whose it is)."""
    row = connection.execute(select(links.c.user).where(_is_link(purpose, token_hash, now))).first()
    return (False, None) if row is None else (True, row.user)


def use_link(tx: Transaction, purpose: str, token_hash: str) -> bool:
    """Uses a link up; False if it was used before, or never made."""
    done = tx.connection.execute(delete(links).where(_is_link(purpose, token_hash, tx.now))).rowcount
    tx.writes += done
    return done == 1


def _usable(now: int) -> ColumnElement[bool]:
    return and_(
        or_(invites.c.max_uses.is_(None), invites.c.uses < invites.c.max_uses),
        or_(invites.c.expires_at.is_(None), invites.c.expires_at > now),
    )


def _is_link(purpose: str, token_hash: str, now: int) -> ColumnElement[bool]:
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
    )
