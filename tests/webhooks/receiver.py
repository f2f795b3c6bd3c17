"""A receiver of webhooks: a real HTTP server that checks signatures by the specification.

It shares no code with the server under test.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
BLOCK = 64
"""Bytes of a block of SHA-256."""


def status(code: int, *headers: str) -> bytes:
    """Return a response without a body."""
    return "\r\n".join([f"HTTP/1.1 {code} Status", *headers, "Content-Length: 0", "", ""]).encode()


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """RFC 2104, section 2."""
    padded = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


@dataclass(frozen=True)
class Received:
    """A request to the receiver."""

    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The event as clients see it."""
        found: dict[str, Any] = json.loads(self.content)["data"]
        return found

    @property
    def place(self) -> tuple[str, int]:
        return self.event["topic"], self.event["seq"]

    def is_signed_by(self, secret: str) -> bool:
        """Verify the signature as the Standard Webhooks specification says."""
        key = base64.b64decode(secret.split("whsec_", 1)[1])
        text = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.content])
        wanted = b"v1," + base64.b64encode(hmac_sha256(key, text))
        return wanted in self.headers["webhook-signature"].encode().split(b" ")


Respond = Callable[[Received], Awaitable[bytes]]


async def accept(request: Received) -> bytes:
    return OK


class Receiver:
    """Keeps every request, and each event that it has processed: once by its id, when it accepts it."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.processed: list[Received] = []
        self.repeated = 0
        """How many accepted requests were repetitions, by their ids."""
        self.respond: Respond = accept
        self.down = False
        """Whether connections are closed without an answer."""
        self.loses_answers = False
        """Whether connections are closed after an event was processed, before the answer."""
        self.looks_at_ids = True
        self.active = self.most_active = self.attempts = 0
        self.port = 0
        self._seen: set[str] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[object]:
        return [each.event.get("body") for each in self.processed]

    @property
    def places(self) -> list[tuple[str, int]]:
        return [each.place for each in self.processed]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.active += 1
        self.attempts += 1
        self.most_active = max(self.most_active, self.active)
        try:
            if not self.down:
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.active -= 1
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Received(first.split(" ")[1], headers, content)
        self.requests.append(request)
        answer = await self.respond(request)
        if answer.startswith(b"HTTP/1.1 2"):
            self._process(request)
        if self.loses_answers:
            return
        writer.write(answer)
        await writer.drain()

    def _process(self, request: Received) -> None:
        if self.looks_at_ids and request.id in self._seen:
            self.repeated += 1
            return
        self._seen.add(request.id)
        self.processed.append(request)

    def hang_up(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        found.hang_up()
