"""No change is lost, repeated or undone.

The causes are lost answers, two devices at once, and a killed server.
"""

import asyncio
import json
import socket
from itertools import count
from typing import Any

import pytest

from tests.authorisation.world import create_users
from tests.bugs.conftest import StartServer
from tests.bugs.requests import WIRE
from tests.bugs.sides import NAMES, Side
from tests.bugs.test_server_owned import own_of
from tests.conftest import MakeServer
from tests.support.client import ClosedError, Connection, RefusedError
from tests.support.server import Account, Server
from tests.support.waiting import eventually

CHANGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("message.edit", {}), ("message.delete", {}), ("message.pin", {}), ("reaction.add", {"emoji": "👍"})
)  # fmt: skip
OUTSIDE = (
    "/assets/../index.html/../../settings.py", "/assets/..%2f..%2fsettings.py", "/assets/%2e%2e/%2e%2e/settings.py",
    "/assets/..%5c..%5csettings.py", "/assets/%252e%252e/settings.py", "/assets//etc/passwd",
    "/assets/\\..\\settings.py",
    "/assets/%00/settings.py", "/..%00/settings.py", "/assets/" + "a" * 300, "/assets/C:\\Windows\\win.ini",
    "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/....//....//settings.py", "/assets/%c0%ae%c0%ae/settings.py",
)  # fmt: skip


@pytest.fixture(scope="module")
def server_and_users(start_server: StartServer) -> tuple[Server, dict[str, Account]]:
    return start_server("alice", *(f"{name}-a" for name in NAMES))


def raw(server: Server, path: str) -> bytes:
    """Return the raw answer to a path that no normal client would send."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n".encode()
        )
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_paths_cannot_leave_the_folder_of_the_web_client(server_and_users: tuple[Server, dict[str, Account]]) -> None:
    """G70: no static files from outside their folder.

    CVE-2023-29159, Starlette; CVE-2024-23334, aiohttp.
    """
    server, _ = server_and_users
    for path in OUTSIDE:
        answer = raw(server, path)
        status = int(answer.split()[1])
        assert status in (200, 400, 404), path
        assert b"WrongSetting" not in answer, path
        assert b"root:" not in answer, path
        assert status != 200 or b"<!doctype html>" in answer.lower() or b'"name"' in answer, path


async def test_repeated_commands_take_effect_once(server_and_users: tuple[Server, dict[str, Account]]) -> None:
    """G73 (Zulip 7.0: sent twice): a client whose answer was lost repeats the command.

    The second time changes no row, and a refusal is one that says it is already done.
    """
    server, people = server_and_users
    side = await Side.enter(server, people, "a")
    again = {}
    for kind, prepare in WIRE.items():
        fields = {name: value for name, value in (await prepare(side)).items() if name in own_of(kind)}
        first = await side.do(kind, **fields)
        before = side.rows()
        try:
            answer = await side.do(kind, **fields)
        except RefusedError as refused:
            again[kind] = refused.code
        else:
            assert not answer or answer == first or "room" in answer or "seq" in answer, kind
        assert side.changes(before, side.rows()) == {"gone": [], "come": []}, kind
    assert again == {"room.leave": "not_found", "member.remove": "not_found"}
    await side.leave()


async def test_concurrent_edits_keep_the_last_version_and_all_others_in_the_history(
    server_and_users: tuple[Server, dict[str, Account]],
) -> None:
    """G73: one user edits a message on two devices at the same time.

    The message has the text that was acknowledged last; the history has every other version, once
    each and in order. After a deletion no version is left anywhere.
    """
    server, people = server_and_users
    account = people["alice"]
    async with (
        await Connection.open(server.websocket_url, account.token) as one,
        await Connection.open(server.websocket_url, account.token) as two,
    ):
        seq = (await one.command("message.send", room=1, key="k", body="version 0"))["seq"]
        numbers = count(1)
        asked = [
            await device.post("message.edit", room=1, message=seq, body=f"version {next(numbers)}")
            for _ in range(12)
            for device in (one, two)
        ]
        assert ["ok" in await each for each in asked] == [True] * 24
        edits = account.get(f"/api/rooms/1/messages/{seq}/edits", limit=200)["edits"]
        last = account.get(f"/api/rooms/1/messages/{seq}")["message"]["body"]
        await eventually(lambda: len(one.of_type("message.edited")) >= 24, 30, "all edits are delivered")
        edited = [frame["message"] for frame in one.of_type("message.edited")]
        assert [edit["version"] for edit in edits] == list(range(1, 25))
        assert {edit["body"] for edit in edits} | {last} == {f"version {number}" for number in range(25)}
        assert edited == [seq] * 24
        racing = [
            await one.post("message.edit", room=1, message=seq, body="too late?"),
            await two.post("message.delete", room=1, message=seq),
            await one.post("message.edit", room=1, message=seq, body="far too late"),
        ]
        assert "ok" in (await asyncio.gather(*racing))[1]
        late = await (await one.post("message.edit", room=1, message=seq, body="again"))
        assert late["error"]["code"] == "conflict"
        left = json.dumps([account.get(f"/api/rooms/1/messages/{seq}"), account.log("room:1")])
        assert "version" not in left.replace('"version"', "")
        assert "late" not in left


@pytest.mark.faults
async def test_edits_and_deletions_survive_a_killed_server(make_server: MakeServer) -> None:
    """G73: acknowledged edits, deletions, reactions and pins survive `kill -9`.

    An unacknowledged one is stored completely or not at all.
    """
    server = make_server()
    people = await create_users(server, ["alice"])
    await asyncio.to_thread(server.start)
    connection = await Connection.open(server.websocket_url, people["alice"].token)
    room = (await connection.command("room.create", kind="private", name="R"))["room"]["id"]
    seqs = [
        (await connection.command("message.send", room=room, key=f"{n}", body=f"first {n}"))["seq"] for n in range(60)
    ]
    done: dict[int, str] = {}

    enough = asyncio.Event()

    async def change(number: int, seq: int) -> None:
        kind, more = CHANGES[number % 4]
        given: dict[str, Any] = {"room": room, "message": seq, **more}
        if kind == "message.edit":
            given["body"] = f"second {number}"
        await connection.command(kind, **given)
        done[seq] = kind
        if len(done) >= 20:
            enough.set()

    async def cut() -> None:
        await enough.wait()
        await asyncio.to_thread(server.kill)

    killed = asyncio.create_task(cut())
    outcomes = await asyncio.gather(*(change(*each) for each in enumerate(seqs)), return_exceptions=True)
    await killed
    assert all(outcome is None or isinstance(outcome, ClosedError) for outcome in outcomes)
    await asyncio.to_thread(server.start)
    stored = {message["seq"]: message for message in people["alice"].history(room)}
    assert len(done) >= 20
    assert [seq for number, seq in enumerate(seqs) if not holds(stored[seq], number, done.get(seq))] == []


def holds(message: dict[str, Any], number: int, kind: str | None) -> bool:
    """Return True if a message is consistent and shows the acknowledged command."""
    second = message["body"] == f"second {number}"
    is_whole = message["deleted"] == (message["body"] is None) and (
        second or message["body"] in (None, f"first {number}")
    )
    as_told = {"message.edit": second, "message.delete": message["deleted"], "message.pin": message["pinned"],
               "reaction.add": bool(message["reactions"])}  # fmt: skip
    return is_whole and (kind is None or as_told[kind])
