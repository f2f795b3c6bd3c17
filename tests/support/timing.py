"""Bounds on how long something takes: noise only ever makes it slower, so one good attempt of three proves it."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")
ATTEMPTS = 3


class TooSlowError(AssertionError):
    """Something took longer than it may: because of itself, or because the machine stood still."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is inside takes at most so long. It waits for its condition itself, and that with much more patience."""
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    if took > seconds:
        raise TooSlowError(f"took {took:.2f} s, at most {seconds:g}")


def three_attempts(test: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """The test is made again, at most twice, when something in it was too slow; anything else fails at once."""

    @wraps(test)
    async def patient(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(ATTEMPTS - 1):
            try:
                return await test(*args, **kwargs)
            except TooSlowError:
                continue
        return await test(*args, **kwargs)

    return patient
