"""A pytest plugin: where HUBBUB_CI is set, a skipped test fails the run.

Load it with `-p tests.house.noskip`.
"""

import os
from collections.abc import Iterator

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield
    if _skipped and os.environ.get("HUBBUB_CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped and os.environ.get("HUBBUB_CI"):
        terminalreporter.section("No test may be skipped here (HUBBUB_CI)", red=True, bold=True)
        for name in _skipped:
            terminalreporter.line(name)
