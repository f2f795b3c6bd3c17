"""Password hashing (argon2id, RFC 9106) in a small pool of threads, never on the event loop.

A hash takes tens of milliseconds and 19 MiB: two at a time, fifty may wait, the others are told that we are busy.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hubbub.domain.errors import Busy
from hubbub.domain.passwords import MAX_BYTES

P = ParamSpec("P")
T = TypeVar("T")
WORKERS = 2
QUEUE = 50


class Passwords:
    """Hashes and verifies. Used from the event loop's thread only."""

    def __init__(self, workers: int = WORKERS, queue: int = QUEUE) -> None:
        # OWASP Password Storage Cheat Sheet: m=19456 KiB, t=2, p=1.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobody = self._hasher.hash("nobody has this password")
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hubbub-password")
        self._room = BoundedSemaphore(workers + queue)

    async def hash(self, password: str) -> str:
        """Raises Busy."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed; as slow for nobody (None) as for somebody. Raises Busy."""
        if len(password) > MAX_BYTES or len(password.encode(errors="surrogatepass")) > MAX_BYTES:
            return False
        return await self._run(self._verify, stored or self._nobody, password) and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._room.acquire(blocking=False):
            raise Busy(retry_after=1.0)
        future = self._pool.submit(work, *args, **kwargs)
        # A caller who gives up does not free the place of a thread that goes on hashing.
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)
