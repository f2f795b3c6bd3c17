"""`hubbub serve` waits for a PostgreSQL that is not up yet, and ends where waiting would not help."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from hubbub.storage import postgresql_startup
from hubbub.storage.postgresql_startup import ConnectionRefused, NotUp, wait_until_up
from tests.conftest import MakeServer
from tests.support import forked
from tests.support.postgres import Postgres, postgres
from tests.support.server import Server
from tests.support.waiting import eventually_blocking

pytestmark = pytest.mark.faults

FOREVER = "3600"
"""Longer than any test may take: a server that ends has not waited."""
PASSWORD = "never-printed-1"

_numbers = count(1)


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A PostgreSQL for this module alone, since its tests stop it."""
    with postgres() as server:
        yield server


@pytest.fixture
def address(own: Postgres) -> Iterator[str]:
    """The address of a new database on a PostgreSQL that is down."""
    fresh = own.fresh()
    own.crash()
    yield fresh
    own.start()


def ended(server: Server) -> tuple[int, str]:
    """Run the server until it ends by itself; return its exit code and its last line."""
    command = [sys.executable, *server.launcher, *server.where]
    done = forked.run(command, env=server.environment, timeout=90)
    return done.returncode, done.stderr.splitlines()[-1]


def is_waiting(server: Server) -> bool:
    assert server.process is not None
    assert server.process.poll() is None, server.log_text()
    return bool(server.log_lines("postgresql_not_up"))


def test_a_server_waits_for_a_postgresql_that_starts_later(
    own: Postgres, address: str, make_server: MakeServer
) -> None:
    server = make_server({"HUBBUB_DATABASE_URL": address, "HUBBUB_DATABASE_WAIT_SECONDS": FOREVER})
    server.launch()
    eventually_blocking(lambda: is_waiting(server), 40, "the server says that it waits")
    assert not server.is_ready()
    own.start()
    server.wait_ready(60)
    (said,) = server.log_lines("postgresql_not_up")
    assert "is not up yet. The server waits up to 3600 s for it." in said["advice"]
    assert len(server.log_lines("postgresql_is_up")) == 1


def test_control_a_server_that_does_not_wait_ends(address: str, make_server: MakeServer) -> None:
    code, last = ended(make_server({"HUBBUB_DATABASE_URL": address, "HUBBUB_DATABASE_WAIT_SECONDS": "0"}))
    assert code == 1
    assert re.fullmatch(r"hubbub: PostgreSQL at \S+ does not accept connections: .*HUBBUB_DATABASE_URL\.", last), last


def test_a_server_that_has_waited_in_vain_ends_with_a_sentence(address: str, make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_DATABASE_URL": address, "HUBBUB_DATABASE_WAIT_SECONDS": "1.5"})
    code, last = ended(server)
    assert code == 1
    assert "does not accept connections after 1.5 s: " in last


def test_a_server_waits_for_a_postgresql_that_hangs(own: Postgres, make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_DATABASE_URL": own.fresh(), "HUBBUB_DATABASE_WAIT_SECONDS": FOREVER})
    with own.hung():
        server.launch()
        eventually_blocking(lambda: is_waiting(server), 40, "the server says that it waits")
    server.wait_ready(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_waits_ends_when_it_is_told_to(
    address: str, make_server: MakeServer, number: signal.Signals
) -> None:
    server = make_server({"HUBBUB_DATABASE_URL": address, "HUBBUB_DATABASE_WAIT_SECONDS": FOREVER})
    server.launch()
    eventually_blocking(lambda: is_waiting(server), 40, "the server says that it waits")
    process, server.process = server.process, None
    assert process is not None
    process.send_signal(number)
    try:
        assert process.wait(30) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong-password-1"}, "password authentication failed"),
        ({"password": ""}, "no password supplied"),
        ({"username": "unknown"}, 'role "unknown" does not exist'),
        ({"database": "unknown"}, 'database "unknown" does not exist'),
    ],
    ids=["wrong password", "no password", "unknown user", "unknown database"],
)
def test_a_server_that_postgresql_refuses_for_good_ends_at_once(
    own: Postgres, make_server: MakeServer, change: dict[str, str], reason: str
) -> None:
    user = f"user{next(_numbers)}"
    url = make_url(own.with_password(own.fresh(), user, PASSWORD)).set(**change)  # type: ignore[arg-type]
    chosen = url.render_as_string(hide_password=False)
    server = make_server({"HUBBUB_DATABASE_URL": chosen, "HUBBUB_DATABASE_WAIT_SECONDS": FOREVER})
    code, last = ended(server)
    assert (code, last.partition(": ")[0]) == (2, "hubbub")
    assert reason in last
    assert PASSWORD not in last
    assert "wrong-password-1" not in last


@pytest.mark.parametrize("made", ["empty", "fresh"], ids=["may not create tables", "may not read the tables"])
def test_a_database_user_without_rights_ends_the_start_with_a_sentence(
    own: Postgres, make_server: MakeServer, made: str
) -> None:
    chosen = own.with_password(getattr(own, made)(), f"user{next(_numbers)}", PASSWORD)
    code, last = ended(make_server({"HUBBUB_DATABASE_URL": chosen}))
    assert code == 1
    assert re.fullmatch(r"hubbub: PostgreSQL refuses: permission denied for .+\. The database user must own .+", last)


def test_control_a_refusal_that_is_not_known_is_waited_for(own: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url(own.fresh()).set(database="unknown")
    with pytest.raises(ConnectionRefused):
        wait_until_up(url, 1, threading.Event())
    monkeypatch.setattr(postgresql_startup, "PERMANENT", re.compile("(?!)"))
    with pytest.raises(NotUp, match="unknown"):
        wait_until_up(url, 1, threading.Event())


def test_a_wait_reports_its_progress_every_ten_seconds(address: str) -> None:
    steps = iter(range(0, 1_000, 4))  # each look at the clock is four seconds later
    with capture_logs() as lines, pytest.raises(NotUp, match="after 60 s"):
        wait_until_up(make_url(address), 60, threading.Event(), lambda: float(next(steps)))
    assert [line["event"] for line in lines] == ["postgresql_not_up", *["postgresql_still_not_up"] * 4]
