"""A right ends while it is in use.

A read that begins after the end was acknowledged gets nothing.
"""

import asyncio
from collections.abc import Callable

import pytest

from tests.authorisation.rest_client import RestClient
from tests.bugs.conftest import StartServer
from tests.support import depth
from tests.support.client import Connection
from tests.support.server import Account, Server

READERS = 3
SECRET = b"medlar"
BROKEN = ("-m", "tests.support.broken_server")
Answers = list[tuple[bool, bytes]]


async def read_until(rest: RestClient, path: str, over: Callable[[], bool], reading: asyncio.Semaphore) -> Answers:
    """Read again and again.

    Return for each read whether it began after the end, and its answer. The last reads begin after
    the end. Releases `reading` after the first answer.
    """
    found, late = [], 0
    while late < 2:
        began_after = over()
        late += began_after
        found.append((began_after, (await rest.ask("GET", path, None))[1]))
        if len(found) == 1:
            reading.release()
    return found


async def count_secrets(server: Server, people: dict[str, Account], rounds: int) -> tuple[int, int]:
    """Return how often bob's readers got the secret before the end and after it.

    They read without a pause. Bob is removed from the room in every second round; in the others the
    message is deleted.
    """
    readers = [RestClient(server.port, people["bob"].token) for _ in range(READERS)]
    before = after = 0
    async with await Connection.open(server.websocket_url, people["alice"].token) as alice:
        made = await alice.command("room.create", kind="private", name="R", members=[people["bob"].id])
        room, bob = made["room"]["id"], people["bob"].id
        for number in range(rounds):
            sent = await alice.command("message.send", room=room, key=str(number), body=SECRET.decode())
            is_deletion = bool(number % 2)
            over, first = asyncio.Event(), asyncio.Semaphore(0)
            path = f"/api/rooms/{room}/messages" + (f"/{sent['seq']}" if is_deletion else "")
            reading = asyncio.gather(*(read_until(rest, path, over.is_set, first) for rest in readers))
            for _ in readers:
                await first.acquire()
            if is_deletion:
                await alice.command("message.delete", room=room, message=sent["seq"])
            else:
                await alice.command("member.remove", room=room, user=bob)
            over.set()
            answers = [answer for each in await reading for answer in each]
            after += sum(SECRET in answer for late, answer in answers if late)
            before += sum(SECRET in answer for late, answer in answers if not late)
            if not is_deletion:
                await alice.command("member.add", room=room, user=bob)
    for rest in readers:
        rest.close()
    return before, after


def settings_for(engine: str, request: pytest.FixtureRequest) -> dict[str, str]:
    return {} if engine == "sqlite" else {"HUBBUB_DATABASE_URL": request.getfixturevalue("postgres_server").fresh()}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_reads_that_begin_after_a_removal_return_nothing(
    start_server: StartServer, engine: str, request: pytest.FixtureRequest
) -> None:
    """C27: a right was checked, then ended, then used.

    CVE-2026-20796, Mattermost; CVE-2022-24751, Zulip.
    """
    settings = settings_for(engine, request)
    server, people = await asyncio.to_thread(start_server, "alice", "bob", settings=settings)
    before, after = await count_secrets(server, people, depth.rounds("removals and deletions", short=16, long=1_000))
    assert before > 0, "the readers got the message before"
    assert after == 0


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_control_a_cached_right_is_detected(
    start_server: StartServer, engine: str, request: pytest.FixtureRequest
) -> None:
    settings = {**settings_for(engine, request), "BROKEN": "remember-readers"}
    server, people = await asyncio.to_thread(start_server, "alice", "bob", settings=settings, launcher=BROKEN)
    assert (await count_secrets(server, people, 1))[1] > 0
