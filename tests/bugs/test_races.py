"""A right ends while it is used: what begins after the end was acknowledged gets nothing."""

import asyncio
from collections.abc import Callable

import pytest

from tests.authorisation.asker import Asker
from tests.bugs.conftest import Settled
from tests.support import depth
from tests.support.client import Connection
from tests.support.server import Account, Server

READERS = 3
SECRET = b"medlar"
BROKEN = ("-m", "tests.support.broken_server")
Answers = list[tuple[bool, bytes]]


async def read_until_told(asker: Asker, path: str, over: Callable[[], bool], reading: asyncio.Semaphore) -> Answers:
    """Asks again and again: whether it was over when a question began, and its answer; the last ones begin after.

    Releases `reading` once it has its first answer.
    """
    found, late = [], 0
    while late < 2:
        began_after = over()
        late += began_after
        found.append((began_after, (await asker.ask("GET", path, None))[1]))
        if len(found) == 1:
            reading.release()
    return found


async def told(server: Server, people: dict[str, Account], rounds: int) -> tuple[int, int]:
    """How often bob's readers, who ask without a pause, were told the secret before the end, and after it.

    He is removed from the room in each second round; in the others what he reads is deleted.
    """
    askers = [Asker(server.port, people["bob"].token) for _ in range(READERS)]
    before = after = 0
    async with await Connection.open(server.websocket_url, people["alice"].token) as alice:
        made = await alice.command("room.create", kind="private", name="R", members=[people["bob"].id])
        room, bob = made["room"]["id"], people["bob"].id
        for number in range(rounds):
            sent = await alice.command("message.send", room=room, key=str(number), body=SECRET.decode())
            is_deletion = bool(number % 2)
            over, first = asyncio.Event(), asyncio.Semaphore(0)
            path = f"/api/rooms/{room}/messages" + (f"/{sent['seq']}" if is_deletion else "")
            reading = asyncio.gather(*(read_until_told(asker, path, over.is_set, first) for asker in askers))
            for _ in askers:
                await first.acquire()
            if is_deletion:
                await alice.command("message.delete", room=room, message=sent["seq"])
            else:
                await alice.command("room.remove", room=room, user=bob)
            over.set()
            answers = [answer for each in await reading for answer in each]
            after += sum(SECRET in answer for late, answer in answers if late)
            before += sum(SECRET in answer for late, answer in answers if not late)
            if not is_deletion:
                await alice.command("room.invite", room=room, user=bob)
    for asker in askers:
        asker.close()
    return before, after


def settings_for(engine: str, request: pytest.FixtureRequest) -> dict[str, str]:
    return {} if engine == "sqlite" else {"HUBBUB_DATABASE_URL": request.getfixturevalue("postgres_server").fresh()}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_no_read_that_begins_after_a_removal_tells_anything(
    settled: Settled, engine: str, request: pytest.FixtureRequest
) -> None:
    """C27 (CVE-2026-20796, Mattermost; CVE-2022-24751, Zulip): checked, then ended, then used."""
    settings = settings_for(engine, request)
    server, people = await asyncio.to_thread(settled, "alice", "bob", settings=settings)
    before, after = await told(server, people, depth.rounds("removals and deletions", short=16, long=1_000))
    assert before > 0, "they did read"
    assert after == 0


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_control_a_right_that_is_remembered_is_found(
    settled: Settled, engine: str, request: pytest.FixtureRequest
) -> None:
    settings = {**settings_for(engine, request), "BROKEN": "remember-readers"}
    server, people = await asyncio.to_thread(settled, "alice", "bob", settings=settings, launcher=BROKEN)
    assert (await told(server, people, 1))[1] > 0
