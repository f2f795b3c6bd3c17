"""The product's own client as observer and writer in fault tests.

The hand-written ones stay: they share no code with the product, see every frame, and can break
their promises.
"""

import asyncio
from typing import Any, Self

from hubbub.client import Client, Entry
from tests.support.checker import Frame, History, Send
from tests.support.server import PASSWORD, Account
from tests.support.writer import Writer


class QuickClient(Client):
    """A client with short pauses: servers under test come back sooner than others."""

    first_pause, longest_pause = 0.02, 0.2
    lives = 0
    """How many connections have ended after their greeting."""

    async def _connect(self) -> tuple[float | None, bool]:
        pause, was_live = await super()._connect()
        self.lives += was_live
        return pause, was_live


class OwnFollower:
    """An observer with the interface that the checker uses of `Follower`."""

    def __init__(self, account: Account) -> None:
        self._client = QuickClient(account.server.url, username=account.name, password=PASSWORD)
        self._events: dict[str, list[Frame]] = {}
        self.resets: list[Frame] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        await self._client.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.close()

    @property
    def welcomes(self) -> int:
        return self._client.lives + self._client.connected

    def events(self, topic: str) -> list[Frame]:
        return self._events.get(topic, [])

    def positions(self) -> dict[str, int]:
        """Return the positions up to which the consumer has received everything."""
        known = dict(self._client.positions.have)
        return known | {topic: events[-1]["seq"] for topic, events in self._events.items()}

    async def _run(self) -> None:
        async for item in self._client.events():
            if isinstance(item, Entry):
                self._events.setdefault(item.topic, []).append(dict(item.fields))
            else:
                self.resets.append({"topic": item.topic, "head": item.head, "floor": item.floor})


class OwnWriter(Writer):
    """A writer that leaves all retries to the client.

    It takes no events: they must not delay acknowledgements.
    """

    def __init__(self, account: Account, history: History, **options: Any) -> None:
        super().__init__(account, history, **options)
        self._client = QuickClient(account.server.url, username=account.name, password=PASSWORD, capacity=50)

    async def start(self) -> Self:
        await self._client.__aenter__()
        return self

    async def send(self, room: int, once: bool = False) -> Send:
        send = self.compose(room)
        send.acknowledge((await self._client.send(room, send.body, key=send.key)).seq)
        return send

    async def close(self) -> None:
        await self._client.close()
        await super().close()
