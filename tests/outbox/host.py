"""A database of a host application with an outbox, apart from Hubbub's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from hubbub.outbox import Outbox


@dataclass
class Host:
    """The host application's database, with a table of its own and an outbox."""

    url: str
    outbox: Outbox
    engine: Engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def post(self, *texts: str, room: str = "order:1", **author: Any) -> list[str]:
        """Post in a transaction of their own; return the ids."""
        author = author or {"as_bot": "Orders"}
        with self.transaction() as connection:
            return [self.outbox.post(connection, room=room, text=each, **author) for each in texts]

    def rows(self, query: str = "SELECT id, room, post FROM hubbub_outbox ORDER BY seq") -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def waiting(self) -> int:
        return int(self.rows("SELECT count(*) FROM hubbub_outbox WHERE dead_at IS NULL")[0][0])

    def dead(self) -> list[tuple[str, str]]:
        """Return id and reason of the posts that were given up."""
        with self.transaction() as connection:
            return [(each.id, each.reason) for each in self.outbox.dead(connection)]


@contextmanager
def host_at(url: str) -> Iterator[Host]:
    outbox = Outbox(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        outbox.create_table(connection)
        connection.execute(text("CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY, text varchar(100))"))
    yield Host(url, outbox, engine)
    engine.dispose()
