"""Identities of the host application: their accounts and their last revocation."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hubbub.domain.model import Role
from hubbub.storage import accounts
from hubbub.storage.schema import identities, users
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """A stored identity.

    `name` is the one it last logged in with. `user` is None if it was revoked before its first
    log-in. `revoked` is the seq of its last revocation in the security topic, 0 for none; `revoked_at`
    is its time in milliseconds since 1970, None if unknown.
    """

    user: int | None
    name: str
    revoked: int
    revoked_at: int | None


def find(connection: Connection, issuer: str, subject: str) -> StoredIdentity | None:
    columns = identities.c.user, identities.c.name, identities.c.revoked, identities.c.revoked_at
    query = select(*columns).where(identities.c.issuer == issuer, identities.c.subject == subject)
    row = connection.execute(query).first()
    return None if row is None else StoredIdentity(row.user, row.name, row.revoked, row.revoked_at)


def of_user(connection: Connection, user: int) -> tuple[str, str] | None:
    """Return the issuer and the subject of an account, None for one of Hubbub's own accounts."""
    row = connection.execute(select(identities.c.issuer, identities.c.subject).where(identities.c.user == user)).first()
    return None if row is None else (row.issuer, row.subject)


def users_of(connection: Connection, issuer: str, subjects: Collection[str]) -> dict[str, int]:
    """Return the accounts of identities of one issuer, by subject. Those without an account are left out."""
    query = select(identities.c.subject, identities.c.user).where(
        identities.c.issuer == issuer, identities.c.subject.in_(subjects), identities.c.user.is_not(None)
    )
    return {row.subject: row.user for row in connection.execute(query)}


def last_revoked(connection: Connection, user: int) -> int:
    return connection.scalar(select(identities.c.revoked).where(identities.c.user == user)) or 0


def keep(tx: Transaction, issuer: str, subject: str, user: int, name: str) -> None:
    """Store the identity's account and the name of its last log-in."""
    _put(tx, issuer, subject, {"user": user, "name": name}, {"revoked": 0})


def revoke(tx: Transaction, issuer: str, subject: str, seq: int) -> None:
    """Revoke log-ins of the identity from before `seq`, even if it has no account yet."""
    _put(tx, issuer, subject, {"revoked": seq, "revoked_at": tx.now}, {"user": None, "name": ""})


def follow(tx: Transaction, user: int, name: str, role: Role) -> None:
    """Set an account's name and role to those of the host application.

    The name must be free or the account's own.
    """
    tx.execute(update(users).where(users.c.id == user).values(**accounts.named(name), role=role.value))


def _put(tx: Transaction, issuer: str, subject: str, values: dict[str, object], first: dict[str, object]) -> None:
    """Write `values`, and also `first` if there is no row yet."""
    insert = sqlite.insert if tx.connection.dialect.name == "sqlite" else postgresql.insert
    row = insert(identities).values(issuer=issuer, subject=subject, **first, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["issuer", "subject"], set_=values))
