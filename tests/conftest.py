"""Fixtures for all tests: real server processes on data folders of their own."""

import gc
import logging
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import structlog

from hubbub import cli, metrics
from hubbub.storage import postgresql
from tests.support import depth
from tests.support.fork_server import PATIENT
from tests.support.postgres import Postgres, postgres
from tests.support.server import Server

MakeServer = Callable[..., Server]
Run = Callable[..., str]

metrics.LONG_STALL = float("inf")
"""A busy machine stalls the loop of this process too.

Tests must not find that in its log or output.
"""

HERE = Path(__file__).parent
ALONE = (
    "faults/test_slow_reader.py",
    "rooms/test_absence_timing.py",
    "rooms/test_welcome.py",
    "security/test_timing.py",
)
"""Test files that compare delays: nothing else runs on the machine meanwhile.

If a limit is generous, three attempts (`tests/support/timing.py`) are enough, since noise can only
exceed it. Measuring processor time is better than either.
"""

LONG = (
    "faults/test_outages.py",
    "engine/test_outages.py",
    "cli/test_commands.py",
    "client/test_reconnects.py",
    "conformance/test_autobahn.py",
    "conformance/test_schemathesis.py",
    "conversation/test_machine.py",
    "faults/test_hello_race.py",
    "faults/test_kill.py",
    "faults/test_power_cuts.py",
    "faults/test_retry.py",
    "manager/idioms/test_idioms.py",
    "faults/test_revocation.py",
    "mounted/test_kill.py",
    "nodes/test_database_faults.py",
    "nodes/test_delivery.py",
    "nodes/test_faults.py",
    "nodes/test_rolling_upgrade.py",
    "proxy/test_through.py",
)
"""Test files that run first, so that none of them runs alone at the end.

Those of the browser follow: they take longer than the rest, and share a browser.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    alone, long = ({HERE / name for name in names} for names in (ALONE, LONG))
    for item in items:
        if item.path in alone:
            item.add_marker(pytest.mark.alone)
        if depth.PROVING:
            item.add_marker(pytest.mark.timeout(depth.LIMIT), append=False)
    if not depth.PROVING:
        items[:] = [item for item in items if not _is_repeated_control(item)]
    items.sort(key=lambda item: (item.path not in long, HERE / "browser" not in item.path.parents))


def pytest_collection_finish() -> None:
    """Exempt what is loaded from garbage collection: four thousand tests and all modules."""
    gc.collect()
    gc.freeze()


def _is_repeated_control(item: pytest.Item) -> bool:
    """Return True for a control on PostgreSQL that also runs on SQLite.

    A control shows that the checks detect a broken server, and they are the same on both.
    """
    engines = [mark.args[1] for mark in item.iter_markers("parametrize") if mark.args[0] == "engine"]
    chosen = getattr(item, "callspec", None)
    return (
        item.name.startswith("test_control_")
        and ["sqlite", "postgresql"] in engines
        and chosen is not None
        and chosen.params["engine"] == "postgresql"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the number of rounds to the report; escape lone surrogates for xdist."""
    report = yield
    if call.when == "call":
        report.user_properties += [("depth", made) for made in depth.made()]
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what `make prove` ran in its long form."""
    if not depth.PROVING:
        return
    _print_directories(terminalreporter)
    terminalreporter.section("proved")
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            made = [str(value) for name, value in report.user_properties if name == "depth"]
            if report.when == "call" and made:
                name = report.nodeid.removeprefix("tests/")
                terminalreporter.line(f"{outcome}  {report.duration:8.1f} s  {', '.join(made):<40}  {name}")


def _print_directories(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests of each directory ran, and their seconds with fixtures."""
    counts, seconds = Counter[str](), defaultdict[str, float](float)
    for outcome in ("passed", "failed", "error", ""):  # "" has the reports of setups and teardowns
        for report in terminalreporter.getreports(outcome):
            if isinstance(report, pytest.TestReport):
                directory = report.nodeid.removeprefix("tests/").partition("/")[0]
                counts[directory] += report.when == "call"
                seconds[directory] += report.duration
    terminalreporter.section("directories")
    for directory, took in sorted(seconds.items(), key=lambda one: -one[1]):
        terminalreporter.line(f"{counts[directory]:6} tests  {took:8.1f} s  {directory}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for the tests of one module: open sign-up, no rate limits."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Return `make_server(settings=…, launcher=…, data=…)`, which does not start it."""
    made: list[Server] = []

    def make(
        settings: dict[str, str] | None = None, launcher: tuple[str, ...] = ("-m", "hubbub"), data: Path | None = None
    ) -> Server:
        server = Server(data or tmp_path / f"data{len(made)}", settings, launcher)
        made.append(server)
        return server

    yield make
    for server in made:
        server.end()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run."""
    with postgres() as server:
        yield server


@pytest.fixture
def patient_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PostgreSQL wait longer for this process, since its timeouts continue while the machine stalls."""
    for name, value in PATIENT.items():
        monkeypatch.setitem(postgresql.LIMITS, name, value)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database on each engine.

    On PostgreSQL it is migrated, because that takes longer there.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hubbub.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    request.getfixturevalue("patient_postgresql")
    address = server.fresh()
    yield address
    server.drop(address)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return `run(*arguments)`, which runs a `hubbub` command in this process.

    That is ten times faster than a process. With `fails=True` the command must fail with one
    sentence, which is returned.
    """
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(os, "nice", lambda increment: 0)  # do not renice the test process
    monkeypatch.setenv("HUBBUB_LOG_LEVEL", "error")  # output without log lines

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
