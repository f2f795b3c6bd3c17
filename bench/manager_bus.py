"""What a bus costs a ConnectionManager, and how soon another process delivers.

`python -m bench.manager_bus`: starts NATS and PostgreSQL itself. It prints, for each kind of bus,
the processor time of a `broadcast` to ten clients, and the time from the call in one process to the
client's ASGI `send` in another.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy.engine import make_url
from tests.manager.bus.conftest import bus_of, connected
from tests.manager.peer import Peer
from tests.support.nats import nats
from tests.support.postgres import postgres
from tests.support.waiting import eventually

from hubbub import ConnectionManager

CALLS, CLIENTS, ROUNDS = 2_000, 10, 7
TEXT = "x" * 128
SENT, PAUSE = 1_000, 0.003


async def cost(bus: str | None) -> float:
    """Return the median processor time of a call in microseconds, everything included."""
    manager = ConnectionManager(bus=bus)
    peers = [Peer() for _ in range(CLIENTS)]
    for peer in peers:
        await manager.connect(peer.socket)
    if bus is not None:
        await connected(manager)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for number in range(CALLS):
            await manager.broadcast(TEXT)
            if number % 10 == 9:
                await asyncio.sleep(0)
        await eventually(lambda: manager._others is None or not manager._others.waiting, 60, "all is sent", 0.001)
        await eventually(lambda: len(peers[-1].got) == CALLS, 60, "all is delivered here", 0.001)
        rounds.append((time.process_time() - begun) / CALLS * 1e6)
        for peer in peers:
            peer.got.clear()
    if bus is not None:
        assert bus_of(manager).counts.dropped == 0
    await manager.close()
    return median(rounds)


async def listen(bus: str) -> None:
    """Print the microseconds that each message took, as the other process."""
    manager = ConnectionManager(bus=bus)
    peer = await connected(manager)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    send = peer._send
    took: list[int] = []
    done = asyncio.Event()

    async def noted(message: dict[str, str]) -> None:
        took.append(time.monotonic_ns() - int(message["text"].split()[0]))
        await send(message)
        if len(took) == SENT:
            done.set()

    (socket,) = manager._sockets.values()
    socket._send = noted  # type: ignore[union-attr]
    await done.wait()
    sys.stdout.write(" ".join(str(each // 1_000) for each in took) + "\n")
    await manager.close()


async def latency(bus: str) -> list[int]:
    """Return the microseconds from a call to the delivery in another process."""
    command = [sys.executable, "-m", "bench.manager_bus", bus]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:  # noqa: ASYNC220
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        manager = ConnectionManager(bus=bus)
        await connected(manager)
        for _ in range(SENT):
            await manager.broadcast(f"{time.monotonic_ns()} {TEXT}")
            await asyncio.sleep(PAUSE)
        found = list(map(int, (await asyncio.to_thread(other.stdout.readline)).split()))
        await manager.close()
    return found


@contextmanager
def buses() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        server = stack.enter_context(nats(Path(tempfile.mkdtemp())))
        database = make_url(stack.enter_context(postgres()).empty()).set(drivername="postgresql")
        yield {"nats": server.url, "postgresql": database.render_as_string(hide_password=False)}


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(listen(sys.argv[1]))
        return
    with buses() as addresses:
        print(f"a broadcast of {len(TEXT)} characters to {CLIENTS} clients, processor time, median of {ROUNDS} rounds")
        for kind, address in {"none": None, **addresses}.items():
            print(f"  {kind:12} {asyncio.run(cost(address)):8.1f} µs", flush=True)
        print("from the call to the delivery in another process")
        for kind, address in addresses.items():
            found = asyncio.run(latency(address))
            print(f"  {kind:12} p50 {median(found) / 1_000:.2f} ms, p99 {quantiles(found, n=100)[98] / 1_000:.2f} ms")


if __name__ == "__main__":
    main()
