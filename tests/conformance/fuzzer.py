"""The fuzzer, a process of its own: `python -m tests.conformance.fuzzer PORT NAME TOKEN ROOM FRAMES RATE SEED`.

Several sockets at a time say what the corpus has, wait for an answer now and then, and end in some wrong way. What
was answered is counted and printed as JSON.
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
"""A connection has at most so many, of BATCH frames each, before it ends badly."""


@dataclass
class Target:
    """The server, the account and the room, and how much is left to say at how many frames a second."""

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
        """Waits until it is time for more."""
        await asyncio.sleep(max(0.0, self.began + self.seen["frames"] / self.rate - time.monotonic()))

    def count(self, frames: Iterable[bytes]) -> bytes:
        sent = list(frames)
        self.left -= len(sent)
        self.seen["frames"] += len(sent)
        return b"".join(sent)


class Line:
    """One WebSocket of the fuzzer."""

    def __init__(self, target: Target, raw: Raw) -> None:
        self.target = target
        self.raw = raw
        self._barrier = 10**12

    async def until(self, wanted: bytes | None) -> bool:
        """Reads and counts up to a message with these bytes in it; False when the connection has ended."""
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
        """The greeting: mostly a right one."""
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
        """Some frames, and a ping as the barrier: its answer comes after the answers to what is answered at once."""
        await self.target.pace()
        frames: list[bytes] = []
        while len(frames) < BATCH:
            frames += corpus.harmless(self.target.dice, self.target.room)
        self._barrier += 1
        frames.append(frame(TEXT, b'{"id":%d,"type":"ping"}' % self._barrier))
        self.raw.send(self.target.count(frames))
        return await self.until(b'{"re":%d,' % self._barrier)

    async def end(self) -> None:
        """The last words, half a goodbye, and all that is still answered."""
        if self.target.dice.random() < 0.9:
            self.raw.send(self.target.count(corpus.deadly(self.target.dice)))
        with contextlib.suppress(OSError):
            self.raw.writer.write_eof()
        await self.until(None)


async def talk(target: Target) -> None:
    """One connection of hubbub.v1, from the handshake to its end."""
    async with Raw(target.port) as raw:
        await raw.open()
        line = Line(target, raw)
        if await line.hello():
            for _ in range(target.dice.randrange(1, BATCHES + 1)):
                if not await line.batch():
                    break
        await line.end()


async def talk_plainly(target: Target) -> None:
    """One connection of lines, which go another way through the server."""
    await target.pace()
    async with Raw(target.port) as raw:
        await raw.open(f"/ws/{target.name}?room={target.room}", {"Authorization": f"Bearer {target.token}"})
        line = Line(target, raw)
        raw.send(target.count(part for _ in range(5) for part in corpus.harmless(target.dice, target.room)))
        await line.end()


async def work(target: Target) -> None:
    while target.left > 0:
        target.seen["sockets"] += 1
        await (talk_plainly if target.dice.random() < 0.05 else talk)(target)


async def main(port: str, name: str, token: str, room: str, *numbers: str) -> Counter[str]:
    os.nice(3)  # this is the weather, and not what is measured
    frames, rate, seed = map(int, numbers)
    target = Target(int(port), name, token, int(room), frames, rate, random.Random(seed))
    async with asyncio.TaskGroup() as group:
        for _ in range(SOCKETS):
            group.create_task(work(target))
    return target.seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
