"""Time limits that tolerate noise.

Noise only makes code slower, so one fast attempt of three is proof.
"""

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")
ATTEMPTS = 3
TICK = 0.05
STALL = 0.5
"""Seconds between two ticks from which on the machine stood still."""

_stalled = 0.0
_ticking = threading.Lock()


def active() -> float:
    """Return a monotonic time in seconds that stops while the whole machine stands still."""
    if _ticking.acquire(blocking=False):  # once, and never released
        threading.Thread(target=_tick, name="active-time", daemon=True).start()
    return time.monotonic() - _stalled


def _tick() -> None:
    global _stalled
    before, spent = time.monotonic(), time.process_time()
    while True:
        time.sleep(TICK)
        took, used = time.monotonic() - before, time.process_time() - spent
        if took > STALL and used < took / 2:  # This process did not delay the tick itself.
            _stalled += took - TICK
        before, spent = before + took, spent + used


class TooSlowError(AssertionError):
    """The code took too long, by itself or because the machine stalled."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer.

    The block waits for its condition with a much larger timeout.
    """
    begin = active()
    yield
    took = active() - begin
    if took > seconds:
        time.sleep(2 * TICK)  # A stall that has just ended is counted at the next tick.
        took = active() - begin - 2 * TICK
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
