"""kill -9 at every step of indexing: each message is indexed exactly once."""

import contextlib
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from hubbub.storage.database import Database
from hubbub.storage.search_index import state
from tests.search import dying_server
from tests.search.conftest import behind
from tests.search.consistency import problems
from tests.support import depth
from tests.support.postgres import Postgres
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking

DYING = ("-m", "tests.search.dying_server")
STEPS = [f"{step} {when}" for step in dying_server.STEPS for when in ("before", "after")]
PATIENCE = 60.0


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    settings = {"HUBBUB_RATE_LIMITS": "false", "HUBBUB_SIGNUP": "open"}
    with ExitStack() as after:
        if request.param == "postgresql":
            engine: Postgres = request.getfixturevalue("postgres_server")
            settings["HUBBUB_DATABASE_URL"] = engine.fresh()
            after.callback(engine.drop, settings["HUBBUB_DATABASE_URL"])
        made = Server(tmp_path / "data", settings, DYING)
        yield made


def is_current(server: Server) -> bool:
    with closing(Database(server.database_url)) as database:
        return database.read(state).is_complete and database.read(behind) == 0


def found_problems(server: Server) -> list[str]:
    with closing(Database(server.database_url)) as database:
        return database.read(problems)


def talk(account: Account, room: int, rounds: int, start: int) -> None:
    """Send, edit and delete messages; a server that dies ends it."""
    try:
        for number in range(start, start + rounds):
            message = {"key": f"k{number}", "body": f"fox {number}"}
            sent = account.request("POST", f"/api/rooms/{room}/messages", json=message)
            if not sent.is_success:
                return
            if number % 5 == 0:
                place = f"/api/rooms/{room}/messages/{sent.json()['seq']}"
                account.request("PATCH", place, json={"body": f"zebra {number}"})
            if number % 7 == 0:
                account.request("DELETE", f"/api/rooms/{room}/messages/{sent.json()['seq']}")
    except httpx.HTTPError:
        return


def has_died(server: Server) -> bool:
    assert server.process is not None
    return server.process.poll() is not None


def bury(server: Server) -> bool:
    """Kill the server; return whether it had already died by itself."""
    died = has_died(server)
    if died:
        server.process = None
    else:
        server.kill()
    return died


def dies_at(server: Server, step: str, account: Account, room: int, number: int) -> bool:
    """Run a server that dies at a step while it indexes; return whether it did."""
    server.settings["DIES"] = f"{step} {random.randint(1, 4)}"
    server.launch()
    with contextlib.suppress(AssertionError, httpx.HTTPError):  # it may die while it starts
        server.wait_ready()
        if step.startswith(("clear", "add_block")):
            server.command_line("search", "rebuild")
        talk(account, room, 60, number)
        # After a kill on PostgreSQL, the lease of the dead server has to end first.
        eventually_blocking(lambda: has_died(server) or is_current(server), PATIENCE, "it works again", 0.1)
    died = bury(server)
    del server.settings["DIES"]
    return died


def test_kill_9_at_every_step_of_indexing_leaves_each_message_indexed_once(server: Server) -> None:
    server.start()
    account = server.sign_up()
    room = account.create_room("Talk")
    talk(account, room, 40, 0)
    server.kill()
    count = depth.rounds("kills at a step", short=5, long=2 * len(STEPS))
    steps = [*random.sample(STEPS, len(STEPS)), *STEPS][:count]
    died = []
    for round_, step in enumerate(steps, 1):
        died.append(dies_at(server, step, account, room, 1_000 * round_))
        server.start()
        talk(account, room, 5, 1_000 * round_ + 500)
        eventually_blocking(lambda: is_current(server), PATIENCE, f"the index is complete after {step}", 0.1)
        assert found_problems(server) == [], step
        server.kill()
    assert any(died)


def test_control_a_position_that_is_stored_without_its_effect_is_found(server: Server) -> None:
    server.settings["BROKEN"] = "effects"
    server.start()
    account = server.sign_up()
    room = account.create_room("Talk")
    for number in range(3):
        talk(account, room, 5, 10 * number)
        eventually_blocking(lambda: is_current(server), PATIENCE, "the follower has handled all entries", 0.1)
    server.kill()
    assert any("is missing" in problem for problem in found_problems(server))
