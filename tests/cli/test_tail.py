"""`hubbub tail` with a server, without one, and into pipes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubbub.cli.tail import line
from tests.cli.test_commands import run, told
from tests.conftest import MakeServer
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking


def say(account: Account, room: int, *bodies: str) -> None:
    for body in bodies:
        answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": body, "key": body[:60]})
        assert answer.status_code in (200, 201), answer.text


def tailed(server: Server, *arguments: str) -> str:
    return server.command_line("tail", *arguments, "--no-follow")


@contextmanager
def tailing(server: Server, *arguments: str, out: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Follow a room with standard output in a file."""
    command = [sys.executable, "-m", "hubbub", "tail", *arguments, "--data", str(server.data)]
    with out.open("wb") as stdout, subprocess.Popen(command, env=server.environment, stdout=stdout) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def talk(server: Server) -> tuple[Account, int]:
    account = server.sign_up("ann")
    room = account.create_room(f"The room of {account.name}")
    say(account, room, "one", "two")
    return account, room


def test_the_log_of_a_room_is_printed_from_the_start_or_after_a_seq(server: Server, talk: tuple[Account, int]) -> None:
    account, room = talk
    printed = tailed(server, str(room)).splitlines()
    events = account.get(f"/api/topics/room:{room}/events", after=1)["events"]
    assert [int(text.split()[0]) for text in printed] == [1, *(event["seq"] for event in events)]
    assert printed[-1].endswith(f"message.sent {account.name}: two")
    assert tailed(server, str(room), "--since", str(events[-2]["seq"])).splitlines() == printed[-1:]
    assert tailed(server, f"the ROOM of {account.name}").splitlines() == printed, "by name, in any spelling"
    assert tailed(server, f"room:{room}").splitlines() == printed
    assert "room" in tailed(server, "site")


def test_json_is_the_entry_of_the_wire(server: Server, talk: tuple[Account, int]) -> None:
    account, room = talk
    printed = [json.loads(text) for text in tailed(server, str(room), "--json").splitlines()]
    assert printed[1:] == account.get(f"/api/topics/room:{room}/events", after=1)["events"]


def test_a_stopped_server_and_several_pages_are_no_difference(make_server: MakeServer) -> None:
    server = make_server().start()
    account = server.sign_up("ann")
    room = account.create_room("Long")
    say(account, room, *(f"message {number}" for number in range(250)))
    running = tailed(server, str(room))
    assert len(running.splitlines()) > 250
    server.stop()
    assert tailed(server, str(room)) == running


def test_following_goes_on_across_restarts_without_gap_or_duplicate(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server().start()
    account = server.sign_up("ann")
    room = account.create_room("Followed")
    out = tmp_path / "out"

    def seqs() -> list[int]:
        return [int(text.split()[0]) for text in out.read_text().splitlines()]

    with tailing(server, str(room), "--since", "0", out=out) as process:
        for _ in range(2):
            say(account, room, f"before {_}")
            eventually_blocking(lambda: f"before {_}" in out.read_text(), 60, "the message is printed")  # noqa: B023
            server.kill()
            server.start()
            say(account, room, f"after {_}")
            eventually_blocking(lambda: f"after {_}" in out.read_text(), 60, "the next one is printed")  # noqa: B023
        server.stop()
        assert process.poll() is None, "it waits for the server"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert seqs() == list(range(1, len(seqs()) + 1))


def test_without_since_following_begins_now(server: Server, talk: tuple[Account, int], tmp_path: Path) -> None:
    account, room = talk
    with tailing(server, str(room), out=tmp_path / "out"):

        def is_heard() -> bool:
            say(account, room, f"now {os.urandom(4).hex()}")
            return "now" in (tmp_path / "out").read_text()

        eventually_blocking(is_heard, 60, "a message is printed", every=0.2)
    assert "two" not in (tmp_path / "out").read_text()


def test_a_closed_pipe_ends_it_quietly_also_while_nothing_happens(server: Server, talk: tuple[Account, int]) -> None:
    _, room = talk
    command = [sys.executable, "-m", "hubbub", "tail", str(room), "--since", "0", "--data", str(server.data)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=server.environment, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_unknown_rooms_wrong_options_and_missing_sites_end_with_a_sentence(server: Server, tmp_path: Path) -> None:
    where = ("--data", str(server.data))
    assert told(run("tail", "Nowhere\x1b[2J", *where), 1) == "There is no room called Nowhere\\x1b[2J."
    assert told(run("tail", "999", *where), 1) == "There is no room called 999."
    assert told(run("tail", "", *where), 1) == "There is no room called ."
    assert run("tail", "1", "--since", "-1", *where).returncode == 2
    assert run("tail").returncode == 2
    assert "no Hubbub site" in told(run("tail", "1", "--data", str(tmp_path / "none")), 1)
    done = run("tail", "1", "--no-follow", "--since", "99999", *where)
    assert done.returncode == 0
    assert "Continuing after" in done.stderr


def test_no_text_acts_on_the_terminal_or_forges_a_line() -> None:
    event = {"seq": 7, "at": "2026-11-30T21:00:00.123Z", "type": "message.sent", "name": "ann", "topic": "room:1"}
    assert line({**event, "body": "a\x1b]0;title\x07\r\n     8 2026\u2028\u202eb"}) == (
        "     7 2026-11-30 21:00:00 message.sent ann: a\\x1b]0;title\\x07\\r\\n     8 2026\\u2028\\u202eb"
    )
    assert line({**event, "type": "room.renamed", "new": "\x9b31m"}).endswith('room.renamed ann: {"new":"\\x9b31m"}')
    assert line({**event, "body": None}).endswith("message.sent ann:")
