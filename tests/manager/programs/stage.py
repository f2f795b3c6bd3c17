"""The clients of a program."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.waiting import eventually_async
from tests.support.websocket_backends import Backend, Client, Closed, Refused

PATIENCE = 60.0


class Stage:
    """Connects clients to the program, and notes what they experience."""

    def __init__(self, backend: Backend, *others: Backend) -> None:
        self._backends = (backend, *others)
        self.log: list[object] = []

    async def enter(self, path: str, process: int = 0) -> "Actor":
        """Connect a client. Raises Refused."""
        return Actor(await self._backends[process].connect(path))

    async def refused(self, path: str) -> int:
        """Return the status of a handshake that the program refuses."""
        try:
            await self._backends[0].connect(path)
        except Refused as refused:
            return refused.status
        raise AssertionError(f"{path} was accepted")

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self._backends[0].request("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self._backends[0].request("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, path: str, value: object) -> None:
        """Wait until the program answers with this value."""

        async def same() -> bool:
            return bool(await self.get(path) == value)

        await eventually_async(same, PATIENCE, f"GET {path} is {value}")


class Actor:
    """One client of a program."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def says(self, *messages: str | bytes) -> None:
        for message in messages:
            await self.client.send(message)

    async def says_json(self, **fields: Any) -> None:
        await self.client.send(json.dumps(fields))

    async def hears(self, count: int = 1) -> list[str | bytes]:
        """Return the next messages."""
        return [await self.client.receive() for _ in range(count)]

    async def hears_json(self, count: int = 1) -> list[Any]:
        return [json.loads(await self.client.receive()) for _ in range(count)]

    async def end(self) -> tuple[list[str | bytes], int | None]:
        """Return the messages until the program closes, and its code."""
        heard: list[str | bytes] = []
        try:
            while True:
                heard.append(await self.client.receive())
        except Closed as end:
            return heard, end.code

    async def leaves(self) -> None:
        await self.client.close()


Play = Callable[[Stage], Awaitable[list[object]]]
