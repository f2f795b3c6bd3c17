"""An outage of the database under load, and what clients must not see of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.faults.load import Crowd, crowd
from tests.support.client import Connection, RefusedError
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually, eventually_blocking

ANSWERED_WITHIN = 3.0  # The promise is 2 s; the rest is for a busy machine.
RECOVERED_WITHIN = 5.0
ATTEMPTS = 3
LONG_ENOUGH = 30.0
READS = 16
"""Reads at once, so that every reader thread has one."""

Fault = Callable[[], AbstractAsyncContextManager[None]]


@dataclass
class Outage:
    """Load and a probing client before, during and after an outage.

    `found` lists the violations. Violations do not depend on timing. Timing is in `slowest` and
    `recovery`.
    """

    room: Crowd
    prober: Connection
    found: list[str] = field(default_factory=list)
    probes: int = 0
    slowest: float = 0.0
    recovery: float = 0.0

    async def probe(self, patience: float = LONG_ENOUGH) -> str:
        """Send once and return `ok`, an error code, or `nothing`."""
        key = f"probe {self.probes}"
        self.probes += 1
        # To the checker the outcome is unknown: `unavailable` promises nothing either way.
        send = self.room.history.sending(self.room.room, self.room.owner.id, key, key)
        began = time.monotonic()
        try:
            ok = await self.prober.command("message.send", patience, room=send.room, key=key, body=key)
        except TimeoutError:
            return "nothing"
        except RefusedError as refused:
            if refused.code == "unavailable" and not 0 < (refused.retry_after or 0) <= 30:
                self.found.append(f"{key} has a retry_after of {refused.retry_after} s")
            return refused.code
        else:
            send.acknowledge(ok["seq"])
            return "ok"
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)

    async def probe_in_vain(self) -> None:
        """Send once while the database cannot store anything."""
        answer = await self.probe()
        if answer != "unavailable":
            self.found.append(f"a send was answered {answer!r}")

    async def flow_again(self, within: float = LONG_ENOUGH) -> None:
        """Wait until every writer has an acknowledgement from after now."""
        began = time.monotonic()
        authors = {writer.account.id for writer in self.room.writers}
        await eventually(
            lambda: authors <= {send.author for send in self.room.history.acked if (send.acked_at or 0) > began},
            within,
            "all writers are acknowledged again",
        )
        self.recovery = max(self.recovery, time.monotonic() - began)


def is_well(server: Server) -> bool:
    """Return whether the server has recovered from the previous outage.

    The first client after an outage may still see it, when a connection to the database turns out
    to be dead.
    """
    account = {"username": f"first{random.getrandbits(40):x}", "password": PASSWORD}
    if httpx.post(f"{server.url}/api/users", json=account, timeout=LONG_ENOUGH).status_code != 201:
        return False
    with ThreadPoolExecutor(READS) as pool:
        ready = pool.map(lambda _: httpx.get(f"{server.url}/health/ready", timeout=LONG_ENOUGH), range(READS))
        return all(answer.status_code == 200 for answer in ready)


@asynccontextmanager
async def outage(server: Server) -> AsyncIterator[Outage]:
    """Run load during and after the block; compare all views with the database."""
    await asyncio.to_thread(eventually_blocking, lambda: is_well(server), LONG_ENOUGH, "the server is well")
    async with crowd(server, writers=4, followers=4) as room:
        room.start_writing()
        await eventually(lambda: len(room.history.acked) > 50, 20, "messages flow")
        async with await Connection.open(server.websocket_url, room.owner.token) as prober:
            outage = Outage(room, prober)
            yield outage
            if not prober.is_open or any(follower.welcomes != 1 for follower in room.followers):
                outage.found.append("the server closed a socket")
        await room.stop_writing()
        await room.caught_up()
        outage.found += room.verdict() + room.convergence()


async def weathered(server: Server, fault: Fault, meanwhile: Callable[[Outage], Awaitable[None]]) -> Outage:
    """Return what happened in an outage in which nothing can be stored.

    `meanwhile` runs during it.
    """
    async with outage(server) as seen:
        async with fault():
            await seen.probe_in_vain()
            acknowledged = len(seen.room.history.acked)
            await meanwhile(seen)
            if len(seen.room.history.acked) > acknowledged:
                seen.found.append("a send was acknowledged while the database was down")
        await seen.flow_again()
    return seen


async def in_time(attempt: Callable[[], Awaitable[Outage]]) -> None:
    """Assert that no attempt has violations and that one of them was fast enough.

    A busy machine may be slow, but not three times.
    """
    for _ in range(ATTEMPTS):
        seen = await attempt()
        assert not seen.found, "\n".join(seen.found)
        if seen.slowest <= ANSWERED_WITHIN and seen.recovery <= RECOVERED_WITHIN:
            return
    raise AssertionError(f"answered after {seen.slowest:.1f} s, recovered after {seen.recovery:.1f} s")
