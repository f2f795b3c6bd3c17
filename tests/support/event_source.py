"""A reader of server-sent events for tests: parses the stream as browsers do."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.server import Account
from tests.support.waiting import eventually

ACCEPT = {"Accept": "text/event-stream"}


class StreamRefused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


@dataclass
class EventSource:
    """One stream of a topic. `last_id` survives, so that `open` resumes."""

    account: Account
    topic: str
    last_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The data of all events, in order."""
    types: list[str] = field(default_factory=list)
    comments: int = 0
    retry: float | None = None
    ended: bool = True
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    _task: "asyncio.Task[None] | None" = None

    @property
    def path(self) -> str:
        return f"/api/topics/{self.topic}/events"

    async def open(self, **query: Any) -> Self:
        """Connect, and wait for the first block. Raises StreamRefused."""
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(30.0, read=None), trust_env=False)
        headers = {**self.account.headers, **ACCEPT}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        request = self._client.build_request(
            "GET", self.account.server.url + self.path, headers=headers, params=query or None
        )
        response = await self._client.send(request, stream=True)
        if response.status_code != 200:
            await response.aread()
            await self._client.aclose()
            raise StreamRefused(response.status_code, response.text)
        self.headers, self.ended, self.retry = response.headers, False, None
        self._task = asyncio.create_task(self._read(response))
        await eventually(lambda: self.retry is not None or self.ended, 20, "the stream begins")
        return self

    async def _read(self, response: httpx.Response) -> None:
        lines: list[str] = []
        rest = b""
        try:
            async for chunk in response.aiter_raw():
                rest += chunk
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    if line:
                        lines.append(line.decode())
                    else:
                        self._block(lines)
                        lines = []
        except httpx.HTTPError:
            pass  # the server was killed
        finally:
            self.ended = True
            await response.aclose()
            await self._client.aclose()

    def _block(self, lines: list[str]) -> None:
        """Dispatch a block (HTML Standard, section 9.2.6)."""
        kind, data = "message", ""
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "":
                    self.comments += 1
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry = int(value) / 1000
                case "event":
                    kind = value
                case "data":
                    data = value
        if data:
            self.types.append(kind)
            self.events.append(json.loads(data))

    def seqs(self) -> Iterator[int]:
        return (event["seq"] for event in self.events if "seq" in event)

    def bodies(self) -> list[str]:
        return [event["body"] for event in self.events if event["type"] == "message.sent"]

    async def ends(self, within: float = 20.0) -> None:
        await eventually(lambda: self.ended, within, "the stream ends")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
