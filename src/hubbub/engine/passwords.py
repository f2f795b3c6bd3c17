"""Password hashing (argon2id, RFC 9106) in a small pool of threads.

Hashing never runs on the event loop. A hash takes tens of milliseconds and 19 MiB. Two are computed
at a time and fifty may wait. Networks have their turns one after the other, and when all places are
taken, the network with the most of them loses one: its caller gets Busy. A thread without further
work gives the memory back.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hubbub.domain.errors import Busy
from hubbub.domain.passwords import MAX_BYTES
from hubbub.engine import heap

P = ParamSpec("P")
T = TypeVar("T")
WORKERS = 2
QUEUE = 50


class Passwords:
    """Hashes and verifies passwords. Must be used on the event loop's thread only."""

    def __init__(self, workers: int = WORKERS, queue: int = QUEUE) -> None:
        # OWASP Password Storage Cheat Sheet: m=19456 KiB, t=2, p=1.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._placeholder = self._hasher.hash("no account has this password")
        self._workers = workers
        self._queue = queue
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hubbub-password")
        self._waiting: OrderedDict[str, deque[_Hash]] = OrderedDict()
        """The hashes that have not begun, by network; the network that is next comes first."""
        self._count = 0
        """How many these are."""
        self._running = 0

    async def hash(self, password: str, place: str = "") -> str:
        """Return the hash of a password. Raises Busy.

        `place` is the client's network.
        """
        return await self._run(place, self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str, place: str = "") -> bool:
        """Return whether the password matches the hash `stored`. Raises Busy.

        `stored` is None if there is no such account. The check then takes as long as for an
        existing account. `place` is the client's network.
        """
        if len(password) > MAX_BYTES or len(password.encode(errors="surrogatepass")) > MAX_BYTES:
            return False
        return await self._run(place, self._verify, stored or self._placeholder, password) and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Return whether the hash was made with parameters other than the current ones."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, place: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._running + self._count >= self._workers + self._queue:
            self._make_room(place)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        wanted = _Hash(partial(work, *args, **kwargs), answer)
        self._waiting.setdefault(place, deque()).append(wanted)
        self._count += 1
        self._start()
        try:
            return cast(T, await answer)
        finally:
            self._give_up(place, wanted)

    def _give_up(self, place: str, wanted: "_Hash") -> None:
        """Forget a hash that has not begun, because its caller was cancelled."""
        waiting = self._waiting.get(place)
        if waiting is not None and wanted in waiting:
            waiting.remove(wanted)
            self._count -= 1
            if not waiting:
                del self._waiting[place]

    def _make_room(self, place: str) -> None:
        """Refuse the newest hash of the network with the most of them, or raise Busy if that is `place`."""
        busiest = max(self._waiting.values(), key=len, default=None)
        if busiest is None or len(busiest) <= len(self._waiting.get(place, ())) + 1:
            raise Busy(retry_after=1.0)
        refused = busiest.pop()
        self._count -= 1
        if not refused.answer.done():  # else its caller was just cancelled
            refused.answer.set_exception(Busy(retry_after=1.0))

    def _start(self) -> None:
        """Start hashes while a thread is free: one of each network in turn."""
        while self._waiting and self._running < self._workers:
            place = next(iter(self._waiting))
            waiting = self._waiting.pop(place)
            wanted = waiting.popleft()
            self._count -= 1
            if waiting:
                self._waiting[place] = waiting  # at the end: the others come first
            self._running += 1
            self._pool.submit(self._work, wanted, asyncio.get_running_loop())

    def _work(self, wanted: "_Hash", loop: asyncio.AbstractEventLoop) -> None:
        """Run on a thread of the pool."""
        error: BaseException | None = None
        found: Any = None
        try:
            found = wanted.work()
        except BaseException as raised:
            error = raised
        # To get the memory again takes half as long as a hash: not if each thread gets another.
        if self._count < self._workers:
            heap.trim_thread()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._ended, wanted, found, error)

    def _ended(self, wanted: "_Hash", found: Any, error: BaseException | None) -> None:
        # A caller who gives up does not free the thread earlier.
        self._running -= 1
        if not wanted.answer.done():
            if error is None:
                wanted.answer.set_result(found)
            else:
                wanted.answer.set_exception(error)
        self._start()


@dataclass(frozen=True, slots=True, eq=False)
class _Hash:
    """A hash that waits for a thread, or is being computed."""

    work: Callable[[], Any]
    answer: asyncio.Future[Any]
