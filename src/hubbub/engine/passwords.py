"""Password hashing (argon2id, RFC 9106) in a small pool of threads.

Hashing never runs on the event loop. A hash takes tens of milliseconds and 19 MiB. Two are computed
at a time and fifty may wait; further callers get Busy. A thread without further work gives the
memory back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

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
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hubbub-password")
        self._slots = BoundedSemaphore(workers + queue)
        self._waiting: deque[None] = deque()
        """One item for each hash that has not begun."""

    async def hash(self, password: str) -> str:
        """Return the hash of a password. Raises Busy."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Return whether the password matches the hash `stored`. Raises Busy.

        `stored` is None if there is no such account. The check then takes as long as for an
        existing account.
        """
        if len(password) > MAX_BYTES or len(password.encode(errors="surrogatepass")) > MAX_BYTES:
            return False
        return await self._run(self._verify, stored or self._placeholder, password) and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Return whether the hash was made with parameters other than the current ones."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._slots.acquire(blocking=False):
            raise Busy(retry_after=1.0)
        self._waiting.append(None)
        future = self._pool.submit(self._work, partial(work, *args, **kwargs))
        # A caller who gives up does not free the slot: the thread goes on hashing.
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def _work(self, work: Callable[[], T]) -> T:
        """Run on a thread of the pool."""
        self._waiting.pop()
        try:
            return work()
        finally:
            # To get the memory again takes half as long as a hash: not if each thread gets another.
            if len(self._waiting) < self._workers:
                heap.trim_thread()

    def _ended(self, future: Future[T]) -> None:
        if future.cancelled():
            self._waiting.pop()
        self._slots.release()
