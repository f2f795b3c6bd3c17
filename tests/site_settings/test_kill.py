"""kill -9 right after the answer keeps a changed setting."""

import time

import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.faults.conftest import engine as engine
from tests.faults.conftest import make_server as make_server
from tests.faults.conftest import new_database as new_database
from tests.support import depth
from tests.support.server import Server

pytestmark = pytest.mark.faults
CONTROL_ROUNDS = 8
BROKEN = ("-m", "tests.support.broken_server")


def lost(server: Server, rounds: int) -> list[str]:
    """Kill and restart the server after each change. Return the values that were lost."""
    server.start()
    owner = server.create_owner()
    found = []
    for number in range(rounds):
        value = f"Name {number} of {time.monotonic_ns()}"
        answer = owner.request("PUT", "/api/settings/name", json={"value": value})
        assert answer.status_code == 200, answer.text
        server.kill()
        server.start()
        owner = server.log_in(owner.name)
        values = {each["setting"]: each["value"] for each in owner.get("/api/settings")["settings"]}
        if values["name"] != value:
            found.append(value)
    return found


@BOTH_DATABASES
def test_kill_9_after_the_answer_keeps_a_setting(make_server: MakeServer) -> None:
    assert lost(make_server(), depth.rounds("kills after a setting", short=3, long=50)) == []


def test_control_a_server_that_answers_before_the_commit_loses_settings(make_server: MakeServer) -> None:
    assert lost(make_server({"BROKEN": "ack-before-commit"}, BROKEN), CONTROL_ROUNDS)
