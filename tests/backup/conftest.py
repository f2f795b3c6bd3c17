"""Fixtures: addresses of empty databases on both engines, and a backup to damage."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from hubbub.storage import restore
from tests.backup.content import back_up, made
from tests.support.postgres import Postgres

Empty = Callable[[str], str]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the restore's timeout.

    A busy PostgreSQL is slow to drop closed connections.
    """
    monkeypatch.setattr(restore, "PATIENCE", 60.0)


@pytest.fixture
def empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Empty]:
    """Return a factory: `empty("sqlite")` is the address of a database without tables."""
    gone: list[Callable[[], None]] = []
    numbers = count(1)

    def make(engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / f'empty{next(numbers)}' / 'hubbub.db'}"
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.empty()
        gone.append(lambda: server.drop(address))
        return address

    yield make
    for drop in gone:
        drop()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an intact backup. Tests must damage copies of it only."""
    folder = tmp_path_factory.mktemp("whole")
    with closing(made(f"sqlite:///{folder / 'data' / 'hubbub.db'}")) as database:
        back_up(database, folder / "data", folder / "whole.zip")
    return folder / "whole.zip"
