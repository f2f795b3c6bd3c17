"""Fixtures: a site of several nodes, with each kind of bus."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support import depth, namespace
from tests.support.namespace import Namespace
from tests.support.nats import Cluster, Nats
from tests.support.postgres import Postgres
from tests.support.server import Account, Server

BROKEN = ("-m", "tests.support.broken_server")


@dataclass
class Site:
    """The nodes of a site. `bus` is NATS, if that is its bus: one server or a cluster."""

    nodes: list[Server]
    url: str
    bus: Nats | Cluster | None

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


def over(*kinds: str, also: str = "") -> pytest.MarkDecorator:
    """Return a mark for a test over these kinds of bus: in `make prove`, over `also` as well."""
    chosen = [*kinds, also] if also and depth.PROVING else list(kinds)
    return pytest.mark.parametrize("kind", chosen, indirect=True)


@pytest.fixture(params=["nats", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_site(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSite]:
    """Return `make_site(count, broken, first, every, inside, url, **settings)`: started nodes.

    `broken` is what the last node breaks, or with `every` each node; `first` is what the first node
    breaks. The last node runs `inside` a network namespace. `url` is the database, by default a new
    one. Further arguments are settings; one that is None is left to its default.
    """
    made: list[Server] = []
    with ExitStack() as stack:

        def make(
            count: int,
            broken: str | None = None,
            first: str | None = None,
            *,
            every: bool = False,
            inside: Namespace | None = None,
            url: str | None = None,
            **more: str | None,
        ) -> Site:
            for node in made:  # an earlier attempt of this test
                if node.process is not None:
                    node.end()
            nodes: list[Server] = []
            if url is None:
                postgres: Postgres = request.getfixturevalue("postgres_server")
                url = postgres.empty()
                stack.callback(postgres.drop, url)
            address = inside.outside if inside is not None else "127.0.0.1"
            bus = _bus(kind, tmp_path, address)
            if bus is not None:
                stack.callback(bus.kill)
            settings = {"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": bus.url if bus is not None else "postgresql"}
            settings |= {name: value for name, value in more.items() if value is not None}
            for number in range(count):
                last = number == count - 1
                own, host = dict(settings), "127.0.0.1"
                if first is not None and number == 0:
                    own["BROKEN"] = first
                if broken is not None and (last or every):
                    own["BROKEN"] = broken
                if inside is not None and last:
                    host = inside.address
                    own = {"BROKEN": "", **own, namespace.VARIABLE: inside.name}
                launcher = BROKEN if "BROKEN" in own else ("-m", "hubbub")
                node = Server(tmp_path / f"node{len(made)}", own, launcher, host)
                for name in (name for name, value in more.items() if value is None):
                    del node.settings[name]
                nodes.append(node)
                made.append(node)
                node.launch()  # all at once: one migrates, the others wait
            for node in nodes:
                node.wait_ready()
            return Site(nodes, url, bus)

        yield make
        for node in made:
            if node.process is not None:
                node.end()


def _bus(kind: str, folder: Path, address: str) -> Nats | Cluster | None:
    if kind == "nats":
        return Nats(folder, address=address).start()
    return Cluster(folder, address=address).start() if kind == "cluster" else None
