"""Wait for a condition with a deadline, where a sleep would be a guess."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], T], within: float, what: str, every: float = 0.01) -> T:
    """Return the first true value of `condition`.

    Fail with `what` after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what} (last: {value!r})")
        await asyncio.sleep(every)


async def eventually_async(condition: Callable[[], Awaitable[T]], within: float, what: str, every: float = 0.05) -> T:
    """Like `eventually` for a condition that must be awaited, such as a request."""
    deadline = time.monotonic() + within
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what} (last: {value!r})")
        await asyncio.sleep(every)


def eventually_blocking(condition: Callable[[], T], within: float, what: str, every: float = 0.02) -> T:
    """Like `eventually` outside an event loop: for fixtures and process control."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what} (last: {value!r})")
        time.sleep(every)
