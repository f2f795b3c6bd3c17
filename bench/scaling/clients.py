"""Clients of real nodes for the validation: raw WebSocket connections that stamp what they send.

They do as little as possible per frame, since they share the machine with the nodes.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

STAMP = b'"body":"@'
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: hubbub.v1\r\n\r\n"
)
PADDING = "x" * 50
PATIENCE = 60.0
"""Seconds after which a message that has not arrived is lost."""


@dataclass(slots=True)
class Seen:
    """What all clients saw in one phase. Latencies are in seconds."""

    sent: dict[int, tuple[float, int, int]] = field(default_factory=dict)
    """By stamp: when it was due, the node that took it, and how many connections must get it."""
    left: dict[int, int] = field(default_factory=dict)
    """By stamp: how many connections have not got it yet."""
    acked: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    far: list[float] = field(default_factory=list)
    reads: int = 0
    read_acks: int = 0
    refused: int = 0
    extra: int = 0


class Client(asyncio.Protocol):
    """A connection of a user to `node`, in `room`."""

    def __init__(self, node: int, room: int, token: str) -> None:
        self.node, self.room = node, room
        self._token = token
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._upgraded = False
        self.seen: Seen | None = None
        self.head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no such base class
        self._transport.write(HANDSHAKE)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError(f"closed before welcome: {exc} {self._held[:200]!r}"))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._held + data if self._held else data
        if not self._upgraded:
            head, mark, data = data.partition(b"\r\n\r\n")
            if not mark:
                self._held = head
                return
            self._upgraded = True
            self.write({"type": "hello", "token": self._token})
        at, end = 0, len(data)
        while end - at >= 2:
            length, start = data[at + 1] & 127, at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + length > end or start > end:
                break
            kind = data[at] & 15
            if kind == 1:
                self._frame(data[start : start + length], now)
            elif kind == 9:
                self._write(10, data[start : start + length])
            at = start + length
        self._held = data[at:]

    def _frame(self, text: bytes, now: float) -> None:
        seen = self.seen
        found = text.find(STAMP)
        if found >= 0 and seen is not None:
            stamp = int(text[found + len(STAMP) : text.index(b"@", found + len(STAMP))])
            sent = seen.sent.get(stamp)
            if sent is None or not seen.left[stamp]:
                seen.extra += 1
                return
            seen.left[stamp] -= 1
            (seen.near if sent[1] == self.node else seen.far).append(now - sent[0])
            if self.head is not None:
                self.head = _seq(text) or self.head
        elif text.startswith(b'{"re":') and seen is not None:
            number = int(text[6 : text.index(b",", 6)])
            if b'"error"' in text[:60]:
                seen.refused += 1
            elif number in seen.sent:
                seen.acked.append(now - seen.sent[number][0])
            else:
                seen.read_acks += 1
        elif b'"welcome"' in text[:60]:
            if not self.welcomed.done():
                self.welcomed.set_result(None)

    def write(self, frame: dict[str, object]) -> None:
        self._write(1, json.dumps(frame, separators=(",", ":")).encode())

    def _write(self, kind: int, payload: bytes) -> None:
        """Write a masked frame. The mask is zero, which the protocol allows."""
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        if self._transport is not None:
            self._transport.write(bytes([128 | kind]) + length + b"\0\0\0\0" + payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _seq(text: bytes) -> int:
    start = text.find(b'"seq":')
    if start < 0:
        return 0
    end = start + 6
    while text[end : end + 1].isdigit():
        end += 1
    return int(text[start + 6 : end])


async def connect(port: int, node: int, room: int, token: str) -> Client:
    """Open a connection and wait for its welcome."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(node, room, token), "127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        await client.welcomed
    return client


async def chat(
    clients: Sequence[Client], rate: float, reads: float, seconds: float, stamps: int, chance: random.Random
) -> Seen:
    """Send `rate` messages and `reads` read positions per second at random times for some seconds.

    Return when every message has arrived everywhere, or PATIENCE is over.
    """
    seen = Seen()
    members: dict[int, int] = {}
    for client in clients:
        members[client.room] = members.get(client.room, 0) + 1
        client.seen = seen
    begin = time.perf_counter()
    due, number = begin, stamps
    while (due := due + chance.expovariate(rate + reads)) < begin + seconds:
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        client = chance.choice(clients)
        number += 1
        if chance.random() * (rate + reads) < rate:
            seen.sent[number] = (due, client.node, members[client.room])
            seen.left[number] = members[client.room]
            body = f"@{number}@{PADDING}"
            key = f"k{number}-{id(seen)}"
            client.write({"id": number, "type": "message.send", "room": client.room, "key": key, "body": body})
        else:
            seen.reads += 1
            client.write({"id": number, "type": "room.read", "room": client.room, "seq": client.head})
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and (
        any(seen.left.values()) or len(seen.acked) + seen.refused + seen.read_acks < len(seen.sent) + seen.reads
    ):
        await asyncio.sleep(0.02)
    return seen


async def flood(clients: Sequence[Client], window: int, seconds: float, stamps: int) -> tuple[int, float]:
    """Keep `window` messages in flight for some seconds; return how many were acknowledged, and seconds."""
    seen = Seen()
    for client in clients:
        client.seen = seen
    begin = time.perf_counter()
    number, acked = stamps, 0
    while time.perf_counter() < begin + seconds:
        while number - stamps - len(seen.acked) < window:
            number += 1
            client = clients[number % len(clients)]
            seen.sent[number] = (time.perf_counter(), client.node, 10**9)
            seen.left[number] = 10**9
            body, key = f"@{number}@{PADDING}", f"f{number}-{id(seen)}"
            client.write({"id": number, "type": "message.send", "room": client.room, "key": key, "body": body})
        await asyncio.sleep(0.001)
    until = time.perf_counter() + PATIENCE
    while len(seen.acked) < number - stamps and time.perf_counter() < until:
        await asyncio.sleep(0.005)
    acked = len(seen.acked)
    return acked, time.perf_counter() - begin
