"""The writing side of the outbox: the host application posts in its own transactions."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hubbub.outbox import table as tables
from hubbub.outbox.connections import database_kind, run, run_async
from hubbub.outbox.posts import HostUser, OutboxPost, host_users

if TYPE_CHECKING:
    from sqlalchemy import URL, MetaData, Table

    from hubbub.domain.identities import Identity
    from hubbub.outbox.table import DatabaseKind

PAGE = 100
"""Dead posts on a page, unless the caller asks for another number."""


@dataclass(frozen=True, slots=True)
class DeadPost:
    """A post that was given up, and why. Times are milliseconds since 1970."""

    id: str
    room: str
    post: str
    """The row's content as JSON."""
    created_at: int
    dead_at: int
    reason: str


class Outbox:
    """Posts that become messages if and only if the host application's transaction commits::

        outbox = Outbox("postgresql+psycopg://app@db.example.org/shop")

        with Session(engine) as session, session.begin():
            session.add(Order(number=42))
            outbox.post(session, room="order:42", text="Order received.", as_bot="Orders")

    The address is that of the host application's database, PostgreSQL or SQLite, where
    `Hubbub(…, outbox=outbox)` takes the posts over. A program that only posts needs no address.
    `schema` is the PostgreSQL schema of the table, if it is not on the search path.

    The methods take SQLAlchemy's Session or Connection, a sqlite3.Connection or a
    psycopg.Connection, and work in its transaction. They raise TypeError for any other object, and
    the driver's errors. All of them may be called from any thread.
    """

    def __init__(self, database: "str | URL | None" = None, *, schema: str | None = None) -> None:
        tables.qualified(schema)
        self.database = database
        self.schema = schema
        self._name = tables.qualified(schema)
        self._insert = f"INSERT INTO {self._name} (id, room, post, created_at) VALUES (:id, :room, :post, :created_at)"  # noqa: S608
        self._wake: list[Callable[[], None]] = []

    def post(
        self,
        connection: Any,
        *,
        room: str,
        text: str,
        as_bot: str | None = None,
        as_user: "Identity | tuple[str, str] | None" = None,
        room_name: str | None = None,
        members: "Iterable[Identity | tuple[str, str]]" = (),
    ) -> str:
        """Post a message when the transaction of `connection` commits; return the id of the post.

        The author is a bot of the host application, known by its key, or a user of it: an Identity,
        which the chat creates or updates if need be, or the issuer and subject of a user it knows.
        Without either it is the host's own bot. With `room_name`, a room that does not exist yet is
        created, private and with these `members`. Raises ValueError for what could never be posted,
        such as a text that is too long.
        """
        parameters = _row(room, text, as_bot, as_user, room_name, members)
        run(connection, self._insert, parameters)
        self._hint()
        return str(parameters["id"])

    async def post_async(
        self,
        connection: Any,
        *,
        room: str,
        text: str,
        as_bot: str | None = None,
        as_user: "Identity | tuple[str, str] | None" = None,
        room_name: str | None = None,
        members: "Iterable[Identity | tuple[str, str]]" = (),
    ) -> str:
        """Do what `post` does with an AsyncSession or AsyncConnection of SQLAlchemy or psycopg."""
        parameters = _row(room, text, as_bot, as_user, room_name, members)
        await run_async(connection, self._insert, parameters)
        self._hint()
        return str(parameters["id"])

    def dead(self, connection: Any, *, limit: int = PAGE) -> list[DeadPost]:
        """Return the posts that were given up, the newest first."""
        columns = ", ".join(tables.COLUMNS)
        statement = f"SELECT {columns} FROM {self._name} WHERE dead_at IS NOT NULL ORDER BY seq DESC LIMIT :limit"  # noqa: S608
        rows, _ = run(connection, statement, {"limit": limit})
        return [
            DeadPost(key, room, post, created_at, dead_at, reason or "")
            for key, room, post, created_at, dead_at, reason in rows
        ]

    def retry(self, connection: Any, post_id: str) -> bool:
        """Try a post again that was given up, when the transaction commits; return whether there is one.

        Its message comes after those that were posted meanwhile.
        """
        statement = f"UPDATE {self._name} SET dead_at = NULL, reason = NULL WHERE id = :id AND dead_at IS NOT NULL"  # noqa: S608
        _, changed = run(connection, statement, {"id": post_id})
        self._hint()
        return changed > 0

    def discard(self, connection: Any, post_id: str) -> bool:
        """Delete a post that was given up; return whether there is one."""
        statement = f"DELETE FROM {self._name} WHERE id = :id AND dead_at IS NOT NULL"  # noqa: S608
        _, changed = run(connection, statement, {"id": post_id})
        return changed > 0

    def create_table(self, connection: Any) -> None:
        """Create the table unless it exists, in the transaction of `connection`."""
        for statement in tables.create_statements(database_kind(connection), self.schema):
            run(connection, statement, {})

    def create_sql(self, kind: "DatabaseKind") -> str:
        """Return the SQL that creates the table in PostgreSQL (`postgresql`) or SQLite (`sqlite`)."""
        return "".join(f"{statement};\n" for statement in tables.create_statements(kind, self.schema))

    def table(self, metadata: "MetaData") -> "Table":
        """Add the table to a MetaData of SQLAlchemy, so that Alembic's autogenerate creates it."""
        return tables.table(metadata, self.schema)

    def on_post(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each post of this process, before its transaction commits, in its thread.

        Returns a function that ends this.
        """
        self._wake.append(wake)
        return lambda: self._wake.remove(wake)

    def _hint(self) -> None:
        for wake in tuple(self._wake):
            wake()


def _row(
    room: str,
    text: str,
    as_bot: str | None,
    as_user: "Identity | tuple[str, str] | None",
    room_name: str | None,
    members: "Iterable[Identity | tuple[str, str]]",
) -> dict[str, object]:
    user = None if as_user is None else HostUser.of(as_user)
    post = OutboxPost(token_hex(16), room, text, as_bot, user, room_name, host_users(members))
    now = time.time_ns() // 1_000_000
    return {"id": post.key, "room": post.room, "post": post.stored(), "created_at": now}
