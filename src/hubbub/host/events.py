"""The log for the host application: iterators from a position, and durable callbacks."""

import asyncio
import inspect
import re
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import orjson
import structlog

from hubbub.domain.commands.followers import MAX_FOLLOWER_NAME
from hubbub.domain.errors import Busy, Unavailable
from hubbub.domain.events import BY_TYPE, Entry, RoomEvent
from hubbub.domain.model import room_topic
from hubbub.engine.follower import Follower, RetryLater
from hubbub.engine.services import Services
from hubbub.features import host
from hubbub.host.model import Event, Position, RoomRef
from hubbub.host.running import Host

F = TypeVar("F", bound=Callable[[Event], object])

PAGE = 200
"""Entries that an iterator has in memory, at most."""
COMPARISON = 15.0
"""Seconds after which an iterator on one of several nodes looks at the log without a hint."""
PATIENCE = 1.0
"""Seconds after which a database that did not answer is asked again."""
TIMEOUT = 60.0
"""Seconds that a callback may take."""
MAX_ATTEMPTS = 8
"""Failures of a callback after which an event is given up."""
START_ATTEMPTS = 30
KIND = "host:"
TYPES = frozenset(name for name, event in BY_TYPE.items() if issubclass(event, RoomEvent))
"""The types of events in rooms' logs."""
TOPIC = re.compile(r"room:[1-9][0-9]{0,15}|user:[1-9][0-9]{0,15}|site")
NAME = re.compile(r"[A-Za-z0-9_-]+")
logger = structlog.get_logger(__name__)


class PositionLost(Exception):
    """The log does not have all events after the position any more.

    It was trimmed, or the database went back in time. Load what you need again, and go on after
    `position`.
    """

    def __init__(self, topic: str, position: Position) -> None:
        super().__init__(f"The log of {topic} has lost events after this position.")
        self.topic = topic
        self.position = position


class Events:
    """The events of one topic after a position: an asynchronous iterator that ends with the server.

    It may be used by one task at a time. It reads the log at the pace of that task, and holds
    nothing open in between: it need not be closed.
    """

    def __init__(self, host: Host, room: RoomRef | None, topic: str | None, after: Position | int | None) -> None:
        if (room is None) is (topic is None):
            raise TypeError("events() needs a room or a topic")
        if topic is not None and not TOPIC.fullmatch(topic):
            raise ValueError("the topic must be room:ID, user:ID or site")
        self._host, self._room, self._topic = host, room, topic
        self._ending = host.ending
        self._begun = isinstance(after, int) or after is not None
        self._epoch = after.epoch if isinstance(after, Position) else None
        self._after = after.seq if isinstance(after, Position) else after
        self._pending: deque[bytes] = deque()
        host.services  # noqa: B018  raises RuntimeError before the start

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        """Return the next event, waiting for it. Raises PositionLost, NotFound."""
        while not self._pending:
            if self._ending.is_set():
                raise StopAsyncIteration
            try:
                await self._fill()
            except (Busy, Unavailable):
                await self._pause(PATIENCE)
            except Exception:
                if self._ending.is_set():  # the database is being closed
                    raise StopAsyncIteration from None
                raise
        return self._next()

    def _next(self) -> Event:
        data = orjson.loads(self._pending.popleft())
        self._after = int(data["seq"])
        return Event(data["topic"], Position(self._epoch or "", data["seq"]), data)

    async def _fill(self) -> None:
        """Read the next entries; wait if there are none."""
        services = self._host.services
        if self._topic is None:
            assert self._room is not None
            self._topic = room_topic(await self._host.room_id(self._room))
        heard = asyncio.Event()
        topic = self._topic

        def hear(entries: Sequence[Entry]) -> None:
            if any(entry.topic == topic for entry in entries):
                heard.set()

        def hear_of(topics: Collection[str]) -> None:
            if topic in topics:
                heard.set()

        services.hub.watch(hear)
        services.hub.watch_heads(hear_of)
        try:
            if not await self._read(services, topic):
                await self._wait(heard, COMPARISON if services.bus.connects else None)
        finally:
            services.hub.unwatch(hear)
            services.hub.unwatch_heads(hear_of)

    async def _read(self, services: Services, topic: str) -> bool:
        """Read the next page; return whether it has entries."""
        found = await services.read(host.entries, topic, self._epoch, self._after, PAGE)
        if found.page is None:
            position = Position(found.epoch, found.floor if found.epoch == self._epoch else found.head)
            raise PositionLost(topic, position)
        self._epoch = found.epoch
        if self._after is None:
            self._after = found.head
        self._pending.extend(found.page.texts)
        return bool(self._pending)

    async def _wait(self, heard: asyncio.Event, seconds: float | None) -> None:
        tasks = [asyncio.create_task(event.wait()) for event in (heard, self._ending)]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()


class Callbacks:
    """The callbacks of a host application, which followers call."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._followers: dict[str, CallbackFollower] = {}
        self._services: Services | None = None

    def add(self, types: Sequence[str], name: str | None) -> Callable[[F], F]:
        """Return a decorator. Raises ValueError, RuntimeError after the start."""
        if self._services is not None:
            raise RuntimeError("Callbacks must be declared before the server starts.")
        if not types or not TYPES.issuperset(types):
            raise ValueError(f"the types must be among {', '.join(sorted(TYPES))}")

        def register(function: F) -> F:
            own = function.__name__ if name is None else name
            if not NAME.fullmatch(own) or len(KIND + own) > MAX_FOLLOWER_NAME:
                raise ValueError("give the callback a name of at most 59 letters, digits, dashes and underscores")
            if own in self._followers:
                raise ValueError(f"there are two callbacks with the name {own}")
            self._followers[own] = CallbackFollower(own, frozenset(types), function, self._host)
            return function

        return register

    async def start(self, services: Services) -> None:
        """Let the followers of all callbacks work. Raises HubbubError if the database does not answer."""
        self._services = services
        for follower in self._followers.values():
            for attempt in range(1, START_ATTEMPTS + 1):
                try:
                    await services.followers.add(follower)
                    break
                except (Busy, Unavailable):
                    if attempt == START_ATTEMPTS:
                        raise
                    await asyncio.sleep(PATIENCE)

    async def stop(self) -> None:
        """End the callbacks that run: their events come again at the next start. Idempotent."""
        services, self._services = self._services, None
        if services is not None:
            for follower in self._followers.values():
                await services.followers.detach(follower.name)

    async def forget(self, name: str) -> None:
        """Remove the stored positions of a callback that is declared no longer. Idempotent."""
        if name in self._followers:
            raise ValueError(f"the callback {name} is declared: remove it from the program first")
        if not NAME.fullmatch(name):
            raise ValueError("this is no name of a callback")
        await self._host.services.followers.remove(f"{KIND}{name}")


class CallbackFollower(Follower):
    """Calls a function of the host application with each event, in the order of its topic."""

    scope = "room:"
    max_entries = 20

    def __init__(self, name: str, types: frozenset[str], function: Callable[[Event], object], host: Host) -> None:
        self.name = f"{KIND}{name}"
        self.types = types
        self._function, self._host = function, host

    async def handle(self, topic: str, entries: Sequence[Entry]) -> None:
        done: int | None = None
        epoch = self._host.services.history.mark.epoch
        for entry in entries:
            event = Event(topic, Position(epoch, entry.seq), orjson.loads(entry.text))
            try:
                async with asyncio.timeout(TIMEOUT):
                    await self._call(event)
            except Exception as error:
                logger.exception("callback_failed", callback=self.name, topic=topic, seq=entry.seq, exc_info=error)
                raise RetryLater(
                    None, type(error).__name__, done=done, only_topic=True, failed=entry.seq, most=MAX_ATTEMPTS
                ) from None
            done = entry.seq

    async def reset(self, topic: str, floor: int) -> None:
        logger.warning("callback_missed_events", callback=self.name, topic=topic, until=floor)

    async def _call(self, event: Event) -> None:
        """Call the function: on a thread if it is a plain one."""
        found: Any
        if inspect.iscoroutinefunction(self._function):
            found = self._function(event)
        else:
            found = await asyncio.to_thread(self._function, event)
        if inspect.isawaitable(found):
            await found
