"""Fixtures: the database of a host application on each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbox.host import Host, host_at
from tests.support.postgres import Postgres

ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def host_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database; tests that use it are marked with ENGINES."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'host.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    request.getfixturevalue("patient_postgresql")
    address = server.empty()
    yield address
    server.drop(address)


@pytest.fixture
def host(host_url: str) -> Iterator[Host]:
    with host_at(host_url) as found:
        yield found


def psycopg_address(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def sqlite_path(url: str) -> str:
    return url.removeprefix("sqlite:///")
