"""An observer that applies the client's rule of positions over connections."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.client import OPENING_ERRORS, ClosedError, Connection, Frame


@dataclass
class TopicLog:
    """A client's state of one topic.

    Apply `last+1`, ignore `<= last`, anything else is a gap.
    """

    last: int
    events: list[Frame] = field(default_factory=list)
    waiting: dict[int, Frame] = field(default_factory=dict)

    def offer(self, event: Frame) -> bool:
        """Apply an event; return False while an earlier one is missing."""
        seq: int = event["seq"]
        if seq > self.last:
            self.waiting[seq] = event
        while (following := self.waiting.pop(self.last + 1, None)) is not None:
            self.events.append(following)
            self.last += 1
        for old in [seq for seq in self.waiting if seq <= self.last]:
            del self.waiting[old]
        return not self.waiting


class Follower:
    """An observer that keeps its positions over connections, as a real client does."""

    def __init__(self, url: str, token: str, options: Callable[[], dict[str, Any]] = dict) -> None:
        self.url = url
        self.token = token
        self.options = options
        self.epoch: str | None = None
        self.topics: dict[str, TopicLog] = {}
        self.resets: list[Frame] = []
        self.welcomes = 0
        self.closes: list[int | None] = []
        self.connection: Connection | None = None
        self._filling: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def start(self, within: float = 20.0) -> "Follower":
        """Connect, and reconnect whenever the connection ends."""
        self._task = asyncio.create_task(self._run())
        async with asyncio.timeout(within):
            await self._ready.wait()
        return self

    async def stop(self) -> None:
        """Stop reconnecting."""
        tasks = [task for task in (self._task, *self._filling.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.connection is not None:
            await self.connection.abort()

    async def _run(self) -> None:
        while True:
            try:
                connection = await Connection.open(
                    self.url,
                    self.token,
                    have=self.positions(),
                    epoch=self.epoch,
                    on_event=self._receive,
                    **self.options(),
                )
            except (*OPENING_ERRORS, ClosedError):
                await asyncio.sleep(0.02)  # a client's pause between attempts
                continue
            self._enter(connection)
            self.closes.append(await connection.finished())

    def _enter(self, connection: Connection) -> None:
        """Process `welcome`. Runs before the reader's first step, so before any event."""
        self.connection = connection
        self.welcomes += 1
        self.epoch = connection.welcome["epoch"]
        for topic, head in connection.welcome["heads"].items():
            self.topics.setdefault(topic, TopicLog(head))
        self._ready.set()

    def positions(self) -> dict[str, int]:
        return {topic: log.last for topic, log in self.topics.items()}

    def events(self, topic: str) -> list[Frame]:
        """Return the applied events in order."""
        return self.topics[topic].events if topic in self.topics else []

    def _receive(self, frame: Frame) -> None:
        if "seq" in frame and "topic" in frame:
            topic = frame["topic"]
            # A topic that appears without a position starts with its first event (a room just
            # joined).
            log = self.topics.setdefault(topic, TopicLog(frame["seq"] - 1))
            if not log.offer(frame):
                self._fill(topic)
        elif frame.get("type") == "more":
            self._fill(frame["topic"])
        elif frame.get("type") == "reset":
            self._reset(frame["topic"], frame)

    def _reset(self, topic: str, frame: Frame) -> None:
        self.resets.append({**frame, "topic": topic})
        if "head" in frame:
            self.topics[topic] = TopicLog(frame["head"], events=self.events(topic))
        else:  # this user may no longer follow the topic
            self.topics.pop(topic, None)

    def _fill(self, topic: str) -> None:
        if topic not in self._filling and self.connection is not None:
            self._filling[topic] = asyncio.create_task(self._refill(topic, self.connection))

    async def _refill(self, topic: str, connection: Connection) -> None:
        """Load missing events until none is missing.

        A closed connection is no problem: the next `hello` catches up.
        """
        try:
            while True:
                log = self.topics[topic]
                page = await connection.command("events.since", topic=topic, epoch=self.epoch, after=log.last)
                if page.get("reset"):
                    self._reset(topic, page)
                    return
                for event in page["events"]:
                    log.offer(event)
                # An empty page under a gap is a fault of the server, which the checker detects, not
                # this loop.
                if not page["events"] or (log.last >= page["head"] and not log.waiting):
                    return
        except (ClosedError, TimeoutError):
            return
        finally:
            self._filling.pop(topic, None)
