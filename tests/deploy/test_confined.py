"""The server works with the system calls and the memory that deploy/hubbub.service leaves it."""

import shutil

import pytest

from tests.conftest import MakeServer
from tests.support.server import Server
from tests.support.waiting import eventually_blocking

CONFINED = ("-m", "tests.deploy.confined")


@pytest.fixture
def make_confined(make_server: MakeServer) -> MakeServer:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine (Debian: apt-get install systemd)")
    return make_server


def test_the_server_works_under_the_filters_of_the_unit(make_confined: MakeServer) -> None:
    server: Server = make_confined(launcher=CONFINED)
    server.start()
    account = server.create_owner()
    room = account.create_room("confined")
    answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": "hello", "key": "1"})
    assert answer.status_code in (200, 201), answer.text
    assert server.metrics()["process_resident_memory_bytes"] > 0
    server.stop()


def test_control_a_server_without_a_call_that_it_needs_does_not_start(make_confined: MakeServer) -> None:
    server: Server = make_confined({"CONFINED_WITHOUT": "epoll_ctl"}, launcher=CONFINED)
    server.launch()
    process, server.process = server.process, None
    assert process is not None
    code = eventually_blocking(process.poll, 60, "the server ends")
    assert code != 0
