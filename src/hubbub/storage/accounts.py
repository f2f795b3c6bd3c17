"""Accounts: names, roles, password hashes.

A name is unique by its skeleton, which a deleted account does not have.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from hubbub.domain.model import LOBBY, Person, Role, User, user_topic
from hubbub.domain.names import search_key, skeleton
from hubbub.domain.text import timestamp
from hubbub.storage import deletion, log, names, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, Rows
from hubbub.storage.schema import GUESTS, OWNERS, USER_KEPT, identities, users
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users`.

    A user without a password hash cannot log in. A deleted account is disabled as well.
    """

    id: int
    name: str
    role: Role
    password_hash: str | None
    disabled: bool
    created_at: int
    deleted_at: int | None
    bot: bool

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def profile(self) -> User:
        return User(id=self.id, name=self.name, role=self.role, created_at=timestamp(self.created_at))


def find(connection: Connection, user: int) -> Account | None:
    return _account(FIND.row(connection, user=user))


def find_by_name(connection: Connection, name: str) -> Account | None:
    """Return the account with this name, or with a name that looks the same."""
    return _account(connection.execute(_accounts().where(users.c.skeleton == skeleton(name))).first())


def among(connection: Connection, wanted: Collection[int]) -> list[Account]:
    """Return the accounts with the wanted ids, as far as they exist."""
    found = connection.execute(_accounts().where(users.c.id.in_(wanted)))
    return [account for row in found if (account := _account(row)) is not None]


def is_open(connection: Connection, user: int) -> bool:
    """Return whether the account exists and is not disabled."""
    return OPEN.row(connection, user=user) is not None


def open_among(connection: Connection, wanted: Collection[int]) -> set[int]:
    """Return those of the wanted users whose account is not disabled. One statement."""
    return {user for (user,) in OPEN_AMONG.rows(connection, rows=rows.encode([(user,) for user in sorted(wanted)]))}


def name_of(connection: Connection, user: int) -> str:
    """Return the name of a user who is known to exist."""
    return str(connection.scalar(select(users.c.name).where(users.c.id == user)))


def names_of(connection: Connection, wanted: Collection[int]) -> dict[int, str]:
    """Return the names of users who are known to exist."""
    found = connection.execute(select(users.c.id, users.c.name).where(users.c.id.in_(wanted)))
    return {row.id: row.name for row in found}


def has_owner(connection: Connection) -> bool:
    """Return whether the site has an owner, including a disabled one."""
    return connection.scalar(select(users.c.id).where(IS_OWNER).limit(1)) is not None


def active_owners(connection: Connection) -> int:
    query = select(func.count()).select_from(users).where(IS_OWNER, users.c.disabled.is_(False))
    return connection.scalar(query) or 0


def listing(connection: Connection, after: int, limit: int) -> list[Account]:
    """Return a page of all accounts by id, including guests and deleted accounts."""
    query = _accounts().where(users.c.id > after).order_by(users.c.id).limit(limit)
    return [account for row in connection.execute(query) if (account := _account(row)) is not None]


def directory(connection: Connection, after: int, limit: int) -> list[Person]:
    """Return a page of active users by id, without guests."""
    query = _active().where(users.c.id > after).order_by(users.c.id).limit(limit)
    return [Person(id=row.id, name=row.name) for row in connection.execute(query)]


def search(connection: Connection, text: str, limit: int) -> list[Person]:
    """Return active users by any part of their names, the best first. Without guests."""
    found = names.find(connection, _active(), users.c.search_key, text, limit)
    return [Person(id=row.id, name=row.name) for row in found]


def guests(connection: Connection, before: int) -> list[int]:
    """Return the open guest accounts created before `before` (milliseconds)."""
    open_ = (IS_GUEST, users.c.disabled.is_(False), users.c.created_at < before)
    return list(connection.scalars(select(users.c.id).where(*open_).order_by(users.c.created_at, users.c.id)))


def is_gone(connection: Connection, topic: str) -> bool:
    """Return whether the topic is that of a user whose account was removed completely."""
    kind, _, user = topic.partition(":")
    return kind == "user" and FIND.row(connection, user=int(user)) is None


def left_something(connection: Connection, user: int) -> bool:
    """Return whether a guest has left messages, pins or reactions.

    A guest can be in no other room than the lobby.
    """
    return deletion.left_something(connection, user, LOBBY)


def create(tx: Transaction, name: str, role: Role, password_hash: str | None, *, bot: bool = False) -> int:
    """Create an account and its topic; return its id, which is below 2^53."""
    user = tx.ids.next_public()
    values = {"id": user, **named(name), "role": role, "password_hash": password_hash, "bot": bot}
    tx.execute(insert(users).values(**values, disabled=False, created_at=tx.now))
    tx.create_topic(user_topic(user))
    return user


def named(name: str) -> dict[str, str]:
    """Return the columns that hold a user's name."""
    return {"name": name, "skeleton": skeleton(name), "search_key": search_key(name)}


def set_password(tx: Transaction, user: int, password_hash: str) -> None:
    tx.execute(update(users).where(users.c.id == user).values(password_hash=password_hash))


def set_disabled(tx: Transaction, user: int, disabled: bool) -> None:
    tx.execute(update(users).where(users.c.id == user).values(disabled=disabled))


def retire(tx: Transaction, user: int, name: str, role: Role) -> None:
    """Mark an account as deleted: it cannot log in, and its old name is free.

    USER_KEPT remains of it, and its messages under `name`. Its identity in the host application
    remains without the name, so that it gets no new account. Holds the user's topic.
    """
    _erase_own(tx, user)
    tx.execute(update(identities).where(identities.c.user == user).values(name=""))
    values = deletion.erased(users, USER_KEPT, name=name, role=role, disabled=True, deleted_at=tx.now)
    tx.execute(update(users).where(users.c.id == user).values(**values))


def remove(tx: Transaction, user: int) -> None:
    """Delete an account that has no messages, pins or reactions. Holds the user's topic."""
    _erase_own(tx, user)
    tx.execute(delete(users).where(users.c.id == user))


def _open_among(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"id": BIG})
    of_wanted = users.c.id.in_(select(wanted["id"]).select_from(wanted.source))
    return select(users.c.id).where(of_wanted, users.c.disabled.is_(False))


def _erase_own(tx: Transaction, user: int) -> None:
    deletion.delete_own(tx, user)
    log.forget(tx, user_topic(user))


def _active() -> Select[Any]:
    """Select the users that other users may write to."""
    return select(users.c.id, users.c.name).where(users.c.role != Role.GUEST, users.c.disabled.is_(False))


def _accounts() -> Select[Any]:
    return select(
        users.c.id, users.c.name, users.c.role, users.c.password_hash, users.c.disabled, users.c.created_at,
        users.c.deleted_at, users.c.bot,
    )  # fmt: skip


def _account(row: Sequence[Any] | None) -> Account | None:
    if row is None:
        return None
    id_, name, role, password_hash, disabled, created_at, deleted_at, bot = row
    return Account(id_, name, Role(role), password_hash, bool(disabled), created_at, deleted_at, bool(bot))


IS_GUEST, IS_OWNER = text(GUESTS), text(OWNERS)
FIND = Statement(lambda _: _accounts().where(users.c.id == bindparam("user")))
OPEN = Statement(lambda _: select(users.c.id).where(users.c.id == bindparam("user"), users.c.disabled.is_(False)))
OPEN_AMONG = Statement(_open_among)
