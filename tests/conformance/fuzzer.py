"""Fuzz a server with WebSocket frames.

Usage: `python -m tests.conformance.fuzzer PORT NAME TOKEN ROOM FRAMES RATE SEED`. This is a process
of its own. Several sockets send frames from the corpus, wait for an answer now and then, and end
the connection in a wrong way. It counts the answers and prints them as JSON.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.conformance import corpus
from tests.gateways.raw import CLOSE, TEXT, Raw, frame

SOCKETS = 4
BATCH = 10
BATCHES = 20
"""Maximum number of batches of BATCH frames before a connection ends badly."""


@dataclass
class Target:
    """The server, the account, the room, and how many frames to send at which rate."""

    port: int
    name: str
    token: str
    room: int
    left: int
    rate: int
    dice: random.Random
    seen: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    async def pace(self) -> None:
        """Wait until the rate allows more frames."""
        await asyncio.sleep(max(0.0, self.began + self.seen["frames"] / self.rate - time.monotonic()))

    def count(self, frames: Iterable[bytes]) -> bytes:
        sent = list(frames)
        self.left -= len(sent)
        self.seen["frames"] += len(sent)
        return b"".join(sent)


class FuzzConnection:
    """One WebSocket of the fuzzer."""

    def __init__(self, target: Target, raw: Raw) -> None:
        self.target = target
        self.raw = raw
        self._barrier = 10**12

    async def until(self, wanted: bytes | None) -> bool:
        """Read and count up to a message that contains `wanted`.

        Return False if the connection ended.
        """
        seen = self.target.seen
        try:
            while True:
                opcode, payload = await self.raw.frame()
                if opcode == CLOSE:
                    seen[f"close {int.from_bytes(payload[:2], 'big')}"] += 1
                elif opcode == TEXT:
                    if wanted is not None and wanted in payload:
                        return True
                    if payload.startswith(b'{"re"'):
                        said = json.loads(payload)
                        seen[said["error"]["code"] if "error" in said else "ok"] += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return False

    async def hello(self) -> bool:
        """Send a hello, usually a valid one."""
        dice = self.target.dice
        fields = {"type": "hello", "token": self.target.token}
        choice = dice.random()
        if choice < 0.85:
            text = json.dumps(fields)
        elif choice < 0.9:
            text = corpus.with_wrong_fields(dice, dict(fields))
        elif choice < 0.95:
            text = corpus.with_wrong_characters(dice, json.dumps(fields))
        else:
            text = corpus.message(dice, self.target.room)
        self.raw.send(self.target.count([frame(TEXT, text.encode())]))
        if choice < 0.85:
            return await self.until(b'"welcome"')
        self.raw.send(self.target.count(corpus.deadly(dice)))
        return False

    async def batch(self) -> bool:
        """Send frames and then a ping as a barrier.

        The answer to the ping comes after the answers to commands that the server answers at once.
        """
        await self.target.pace()
        frames: list[bytes] = []
        while len(frames) < BATCH:
            frames += corpus.harmless(self.target.dice, self.target.room)
        self._barrier += 1
        frames.append(frame(TEXT, b'{"id":%d,"type":"ping"}' % self._barrier))
        self.raw.send(self.target.count(frames))
        return await self.until(b'{"re":%d,' % self._barrier)

    async def end(self) -> None:
        """Send deadly frames, half-close the connection, and read all remaining answers."""
        if self.target.dice.random() < 0.9:
            self.raw.send(self.target.count(corpus.deadly(self.target.dice)))
        with contextlib.suppress(OSError):
            self.raw.writer.write_eof()
        await self.until(None)


async def talk(target: Target) -> None:
    """Run one hubbub.v1 connection, from the handshake to its end."""
    async with Raw(target.port) as raw:
        await raw.open()
        connection = FuzzConnection(target, raw)
        if await connection.hello():
            for _ in range(target.dice.randrange(1, BATCHES + 1)):
                if not await connection.batch():
                    break
        await connection.end()


async def talk_plainly(target: Target) -> None:
    """Run one plain-text connection, which takes another path through the server."""
    await target.pace()
    async with Raw(target.port) as raw:
        await raw.open(f"/ws/{target.name}?room={target.room}", {"Authorization": f"Bearer {target.token}"})
        connection = FuzzConnection(target, raw)
        raw.send(target.count(part for _ in range(5) for part in corpus.harmless(target.dice, target.room)))
        await connection.end()


async def work(target: Target) -> None:
    while target.left > 0:
        target.seen["sockets"] += 1
        await (talk_plainly if target.dice.random() < 0.05 else talk)(target)


async def main(port: str, name: str, token: str, room: str, *numbers: str) -> Counter[str]:
    os.nice(3)  # The fuzzer is background load and not what is measured.
    frames, rate, seed = map(int, numbers)
    target = Target(int(port), name, token, int(room), frames, rate, random.Random(seed))
    async with asyncio.TaskGroup() as group:
        for _ in range(SOCKETS):
            group.create_task(work(target))
    return target.seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
