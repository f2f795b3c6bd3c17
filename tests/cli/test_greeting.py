"""What `hubbub serve` prints at its first start: the link of the owner is the last line."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hubbub.settings import Settings
from tests.conftest import MakeServer

PATIENCE = 60.0
LINK = re.compile(r"http://localhost:\d+/setup#[\w-]+")
COLOURED = re.compile(r"\x1b\[1;32m(http://localhost:\d+/setup#[\w-]+)\x1b\[0m")


def first_start(data: Path, **variables: str) -> str:
    """Return what a terminal shows at the first start, until the server has ended again."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "NO_COLOR"))}
    command = [sys.executable, "-m", "hubbub", "serve", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**inherited, **variables})
    os.close(theirs)
    shown, deadline = "", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1.0)[0]:
            continue
        try:
            shown += os.read(ours, 4_096).decode()
        except OSError:  # the other end is closed
            break
        if "/setup#" in shown and shown.endswith("\n") and process.poll() is None:
            process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    os.close(ours)
    return shown.replace("\r\n", "\n")


def test_on_a_terminal_the_link_is_coloured_and_nothing_warns_about_this_machine(tmp_path: Path) -> None:
    shown = first_start(tmp_path / "data")
    assert COLOURED.search(shown), shown
    assert "plain_http" not in shown


def test_without_colours_the_link_is_plain(tmp_path: Path) -> None:
    shown = first_start(tmp_path / "data", NO_COLOR="1")
    assert LINK.search(shown)
    assert COLOURED.search(shown) is None


def test_the_link_is_the_last_line_of_the_first_start(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_PUBLIC_URL": "http://chat.example.org"}).start()
    server.setup_link()
    lines = [line for line in server.log_text().splitlines() if line]
    assert "http://chat.example.org/setup#" in lines[-1], lines
    assert len(server.log_lines("plain_http")) == 1, "control: passwords cross a network"


@pytest.mark.parametrize(
    ("settings", "warns"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "127.8.0.1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "chat.example.org"}, True),
        ({"host": "0.0.0.0", "public_url": "https://chat.example.org"}, False),
        ({"public_url": "http://chat.example.org"}, True),
        ({"public_url": "http://localhost:8080"}, False),
        ({"public_url": "http://chat.localhost"}, False),
    ],
)
def test_only_addresses_that_others_can_reach_without_tls_are_warned_about(
    settings: dict[str, str], warns: bool
) -> None:
    assert Settings(**settings).is_plain_http is warns  # type: ignore[arg-type]
