"""Lets code on any thread call the server, which runs on one event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
_running: set[asyncio.Future[Any]] = set()
"""Calls under way: an event loop itself keeps no reference to them."""


def call(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
    """Run `function` on `loop` and return its result as an awaitable.

    It runs also if the awaitable is not awaited. Called from a thread without an event loop, such as
    one of a plain `def` endpoint, this blocks until the result is there, and raises what `function`
    raises. Raises RuntimeError if `loop` has ended.
    """
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        return _Done(asyncio.run_coroutine_threadsafe(function(), loop).result())
    if here is not loop:
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), loop))
    task = loop.create_task(function())
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


class _Done(Awaitable[T]):
    """A result that is there already."""

    def __init__(self, result: T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, T]:
        return self._result
        yield
