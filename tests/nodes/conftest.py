"""Fixtures: a site of several nodes, with each kind of bus."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.nats import Nats, nats
from tests.support.postgres import Postgres
from tests.support.server import Account, Server

BROKEN = ("-m", "tests.support.broken_server")


@dataclass
class Site:
    """The nodes of a site. `bus` is the NATS server, if there is one."""

    nodes: list[Server]
    url: str
    bus: Nats | None

    def there(self, account: Account, node: int) -> Account:
        """Return the session of an account as a client of another node: the token is valid there."""
        return Account(self.nodes[node], account.id, account.name, account.token, account.refresh)

    def execute(self, statement: str, *values: object) -> None:
        address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.execute(statement.encode(), values)

    def count(self, rows: str) -> int:
        """Return the number of `rows`: a table, perhaps with a condition."""
        address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address)) as connection:
            found = connection.execute(f"SELECT count(*) FROM {rows}".encode()).fetchone()
        assert found is not None
        return int(found[0])

    def interrupt(self) -> None:
        """End the connections of all nodes to the bus. A NATS server stays down until `resume`."""
        if self.bus is not None:
            self.bus.kill()
        else:
            self.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hubbub-bus'"
                " AND datname = current_database()"
            )

    def resume(self) -> None:
        if self.bus is not None:
            self.bus.start()


MakeSite = Callable[..., Site]


@pytest.fixture(params=["nats", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_site(kind: str, postgres_server: Postgres, tmp_path: Path) -> Iterator[MakeSite]:
    """Return `make_site(count, broken, first, **settings)`: started nodes.

    `broken` is what the last node breaks, `first` what the first node breaks. A setting that is
    None is left to its default.
    """
    made: list[Server] = []
    url = postgres_server.empty()
    with nats(tmp_path) as bus:

        def make(count: int, broken: str | None = None, first: str | None = None, **extra: str | None) -> Site:
            address = bus.url if kind == "nats" else "postgresql"
            settings = {"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": address}
            settings |= {name: value for name, value in extra.items() if value is not None}
            breaks = {0: first} | ({count - 1: broken} if broken is not None else {})
            for number in range(count):
                if (fault := breaks.get(number)) is not None:
                    node = Server(tmp_path / f"node{number}", {**settings, "BROKEN": fault}, BROKEN)
                else:
                    node = Server(tmp_path / f"node{number}", settings)
                for name, value in extra.items():
                    if value is None:
                        del node.settings[name]
                node.launch()  # all at once: one migrates, the others wait
                made.append(node)
            for node in made:
                node.wait_ready()
            return Site(made, url, bus if kind == "nats" else None)

        yield make
        for node in made:
            node.end()
    postgres_server.drop(url)
