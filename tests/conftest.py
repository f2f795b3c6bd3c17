"""Fixtures for every test: real server processes on data folders of their own."""

import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import structlog

from hubbub import cli
from hubbub.storage import postgresql
from tests.support.postgres import Postgres, postgres
from tests.support.server import Server

MakeServer = Callable[..., Server]
Run = Callable[..., str]

HERE = Path(__file__).parent
ALONE = (
    "accounts/test_passwords.py",
    "backup/test_load.py",
    "conformance/test_crowd.py",
    "conformance/test_floods.py",
    "conformance/test_framing.py",
    "conformance/test_fuzz.py",
    "conformance/test_probe.py",
    "conformance/test_silent.py",
    "engine/test_outages.py",
    "engine/test_readers.py",
    "faults/test_outages.py",
    "faults/test_slow_reader.py",
    "faults/test_storage.py",
    "rooms/test_absence_timing.py",
    "rooms/test_welcome.py",
    "security/test_timing.py",
)
"""What measures time, or has little of it: nothing else runs on the machine meanwhile. Where a bound is generous, and
noise can only break it, three attempts (`tests/support/timing.py`) do instead."""

LONG = (
    "cli/test_commands.py",
    "client/test_reconnects.py",
    "conformance/test_autobahn.py",
    "conformance/test_schemathesis.py",
    "conversation/test_machine.py",
    "faults/test_hello_race.py",
    "faults/test_kill.py",
    "faults/test_power_cuts.py",
    "faults/test_retry.py",
    "faults/test_revocation.py",
    "mounted/test_kill.py",
    "proxy/test_through.py",
)
"""Before all others, in whatever order these are: no worker is to be left alone with one of them in the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    alone, long = ({HERE / name for name in names} for names in (ALONE, LONG))
    for item in items:
        if item.path in alone:
            item.add_marker(pytest.mark.alone)
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has written may hold lone surrogates, which no report brings from one process to another."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for the tests of one module: sign-up open, rate limits off."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Build a server that is not started yet: `make_server(settings={...}, launcher=[...], data=...)`."""
    made: list[Server] = []

    def make(
        settings: dict[str, str] | None = None, launcher: tuple[str, ...] = ("-m", "hubbub"), data: Path | None = None
    ) -> Server:
        server = Server(data or tmp_path / f"data{len(made)}", settings, launcher)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for the whole run."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of its own for the test, once on each engine; migrated on PostgreSQL, where that takes longer."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hubbub.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    # PostgreSQL's own limits go on while the machine stands still, and what they are is proven in `storage/`.
    monkeypatch.setitem(postgresql.LIMITS, "statement_timeout", "20s")
    monkeypatch.setitem(postgresql.LIMITS, "idle_in_transaction_session_timeout", "20s")
    address = server.fresh()
    yield address
    server.drop(address)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run(*arguments)`: a `hubbub` command in this process, which is ten times faster; what it says.

    `fails=True` for the one sentence of a command that must fail.
    """
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(os, "nice", lambda increment: 0)  # not the tests
    monkeypatch.setenv("HUBBUB_LOG_LEVEL", "error")  # what it says, without what it logs

    def command(*arguments: object, fails: bool = False) -> str:
        monkeypatch.setattr(sys, "argv", ["hubbub", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        if not fails:
            assert (ended.value.code or 0, err) == (0, ""), err
            return out
        assert (ended.value.code, out) == (1, "")
        (sentence,) = err.splitlines()
        return sentence.removeprefix("hubbub: ")

    yield command
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()
