"""A right ends while it is used: what begins after the end was acknowledged gets nothing."""

import asyncio
from collections.abc import Callable

from tests.authorisation.asker import Asker
from tests.bugs.conftest import Settled
from tests.support.client import Connection

ROUNDS = 25
READERS = 3
SECRET = b"medlar"


async def read_until_told(asker: Asker, path: str, over: Callable[[], bool]) -> list[tuple[bool, bytes]]:
    """Asks again and again: whether it was over when a question began, and its answer; the last ones begin after."""
    found, late = [], 0
    while late < 2:
        began_after = over()
        late += began_after
        found.append((began_after, (await asker.ask("GET", path, None))[1]))
    return found


async def test_no_read_that_begins_after_a_removal_tells_anything(settled: Settled) -> None:
    """C27 (CVE-2026-20796, Mattermost; CVE-2022-24751, Zulip): checked, then ended, then used. Readers ask without a
    pause while somebody is removed, and while what they read is deleted."""
    server, people = await asyncio.to_thread(settled, "alice", "bob")
    askers = [Asker(server.port, people["bob"].token) for _ in range(READERS)]
    during = 0
    async with await Connection.open(server.websocket_url, people["alice"].token) as alice:
        made = await alice.command("room.create", kind="private", name="R", members=[people["bob"].id])
        room, bob = made["room"]["id"], people["bob"].id
        for number in range(ROUNDS):
            sent = await alice.command("message.send", room=room, key=str(number), body=SECRET.decode())
            is_deletion = bool(number % 2)
            over = asyncio.Event()
            path = f"/api/rooms/{room}/messages" + (f"/{sent['seq']}" if is_deletion else "")
            reading = asyncio.gather(*(read_until_told(asker, path, over.is_set) for asker in askers))
            await asyncio.sleep(0)
            if is_deletion:
                await alice.command("message.delete", room=room, message=sent["seq"])
            else:
                await alice.command("room.remove", room=room, user=bob)
            over.set()
            answers = [answer for each in await reading for answer in each]
            assert [answer for late, answer in answers if late and SECRET in answer] == []
            during += sum(SECRET in answer for late, answer in answers if not late)
            if not is_deletion:
                await alice.command("room.invite", room=room, user=bob)
    for asker in askers:
        asker.close()
    assert during > 0, "the control: they did read, before"
