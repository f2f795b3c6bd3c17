"""Time limits that tolerate noise.

Noise only makes code slower, so one fast attempt of three is proof.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")
ATTEMPTS = 3


class TooSlowError(AssertionError):
    """The code took too long, by itself or because the machine stalled."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer.

    The block waits for its condition with a much larger timeout.
    """
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    if took > seconds:
        raise TooSlowError(f"took {took:.2f} s, at most {seconds:g}")


def three_attempts(test: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """Repeat a test that was too slow, at most twice; any other failure is final."""

    @wraps(test)
    async def patient(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(ATTEMPTS - 1):
            try:
                return await test(*args, **kwargs)
            except TooSlowError:
                continue
        return await test(*args, **kwargs)

    return patient
