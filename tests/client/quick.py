"""Consumers of the client for tests."""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

from hubbub.client import Client, Entry, Reset
from tests.support.product import QuickClient
from tests.support.waiting import eventually

__all__ = ["DEADLINE", "Consumer", "QuickClient"]
DEADLINE = 20.0


class Consumer:
    """Collect what a client receives, by topic, in a task of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.resets: list[Reset] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for one in self.client.events():
            if isinstance(one, Entry):
                self.events[one.topic].append(dict(one.fields))
            else:
                self.resets.append(one)

    def bodies(self, room: int) -> list[str]:
        return [event["body"] for event in self.events[f"room:{room}"] if event["type"] == "message.sent"]

    async def hears(self, room: int, *bodies: str) -> None:
        """Wait until the client has received exactly these messages."""
        wanted = list(bodies)
        await eventually(lambda: self.bodies(room) == wanted, DEADLINE, f"{len(wanted)} messages arrive")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
