"""Servers for fault tests, on SQLite unless marked with `BOTH_DATABASES`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.fork_server import PATIENT_DATABASE
from tests.support.postgres import Postgres
from tests.support.server import Server

BOTH_DATABASES = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True, scope="module")
ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True, scope="module")

Addresses = Callable[[], dict[str, str]]


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Return which database engine the servers of this test use."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="module")
def new_database(engine: str, request: pytest.FixtureRequest) -> Iterator[Addresses]:
    """Return a factory of settings, each with a database of its own."""
    if engine == "sqlite":
        yield dict
        return
    postgres: Postgres = request.getfixturevalue("postgres_server")
    made: list[str] = []

    def make() -> dict[str, str]:
        made.append(postgres.fresh())
        return {"HUBBUB_DATABASE_URL": made[-1], PATIENT_DATABASE: "1"}

    yield make
    for address in made:
        postgres.drop(address)


@pytest.fixture(scope="module")
def server(new_database: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for the tests of one module on one database."""
    with Server(tmp_path_factory.mktemp("server") / "data", new_database()) as running:
        yield running


@pytest.fixture
def make_server(make_server: MakeServer, new_database: Addresses) -> MakeServer:
    """`make_server` on this test's engine.

    Each server has its own database unless the settings name one.
    """

    def make(
        settings: dict[str, str] | None = None, launcher: tuple[str, ...] = ("-m", "hubbub"), data: Path | None = None
    ) -> Server:
        return make_server({**new_database(), **(settings or {})}, launcher, data)

    return make
