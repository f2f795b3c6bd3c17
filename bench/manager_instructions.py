"""Count the instructions of a broadcast by ConnectionManager, in process, with transports that take everything.

    python -m bench.manager_instructions [--source FOLDER]

Counts do not depend on what else the machine does: `--source` is the `src` folder of another
commit. Valgrind runs the manager (`valgrind --tool=callgrind`) without a server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.websockets import WebSocket

from bench.instructions import MARK, StoppedLoop, folder, total
from hubbub import ConnectionManager

READERS, REPEATS, ROUNDS = 1_000, 200, 2
"""The first round also fills caches and is left out."""
TEXT = "x" * 128


class Transport:
    """A transport that takes everything at once."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any."""

    def get_write_buffer_size(self) -> int:
        return 0


class Offer:
    """What WebSocketProtocol offers in the scope."""

    open = True
    received_at = 0.0

    def __init__(self) -> None:
        self.transport = Transport()

    def attach(self, writer: object) -> None:
        """Take it."""


class Crowd:
    """A manager with READERS connections, all in a topic."""

    def __init__(self, readers: int, *, framed: bool) -> None:
        self.manager = ConnectionManager()
        self.readers = readers
        self.framed = framed
        self.sockets: list[WebSocket] = []

    async def connect(self) -> None:
        for number in range(self.readers):
            events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            events.put_nowait({"type": "websocket.connect"})
            extensions = {"hubbub.transport": Offer()} if self.framed else {}
            scope = {"type": "websocket", "headers": [], "extensions": extensions}
            websocket = WebSocket(scope, events.get, _take)
            await self.manager.connect(websocket)
            self.manager.join(websocket, "topic" if number % 2 else "other")
            self.sockets.append(websocket)


async def _take(message: object) -> None:
    """Take an ASGI event."""


async def alone(crowd: Crowd) -> None:
    await crowd.manager.broadcast(TEXT)
    await asyncio.sleep(0)


async def together(crowd: Crowd) -> None:
    for _ in range(64):
        await crowd.manager.broadcast(TEXT)
    await asyncio.sleep(0)


async def personal(crowd: Crowd) -> None:
    await crowd.manager.send_personal_message(TEXT, crowd.sockets[0])
    await asyncio.sleep(0)


Work = Callable[[Crowd], Awaitable[None]]
WORK: dict[str, tuple[int, bool, Work, int, str]] = {
    "framed": (READERS, True, alone, 1, f"a broadcast to {READERS:,} framed connections"),
    "burst": (READERS, True, together, 64, f"a broadcast to {READERS:,} framed connections, 64 in a tick"),
    "queued": (READERS // 10, False, alone, 1, f"a broadcast to {READERS // 10} queued connections"),
    "few": (1, True, together, 64, "a broadcast to one framed connection, 64 in a tick"),
    "personal": (10, True, personal, 1, "a personal message"),
}
"""The connections, their kind, the work, the calls in it, and its description."""


async def run() -> None:
    for readers, framed, work, _, _ in WORK.values():
        crowd = Crowd(readers, framed=framed)
        await crowd.connect()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
            getattr(os, MARK)(0)
            for _ in range(REPEATS):
                await work(crowd)
            for _ in range(10):
                await asyncio.sleep(0)
            getattr(os, MARK)(0)


def measure(source: Path) -> list[float]:
    """Return the instructions of one call of each work."""
    with folder() as place:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": f"{source}:{Path.cwd()}"}
        command = [sys.executable, "-m", "bench.manager_instructions", "--run"]
        valgrind = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={place}/profile"]
        subprocess.run([*valgrind, *command], env=environment, check=True, capture_output=True)
        return [
            total(place / f"profile.{2 * ROUNDS * (index + 1)}") / REPEATS / calls
            for index, (_, _, _, calls, _) in enumerate(WORK.values())
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path("src"))
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        with asyncio.Runner(loop_factory=StoppedLoop) as runner:
            runner.run(run())
        return
    for (*_, described), instructions in zip(WORK.values(), measure(given.source.resolve()), strict=True):
        print(f"{described}: {instructions:,.0f} instructions")


if __name__ == "__main__":
    main()
