"""Lets code on any thread call the server, which runs on one event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
_running: set[asyncio.Future[Any]] = set()
"""Calls under way: an event loop itself keeps no reference to them."""


def call(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, T]]) -> "Call[T]":
    """Run `function` on `loop`, and return its result for `await`.

    It runs also if the result is not awaited. Called from a thread without an event loop, such as
    one of a plain `def` endpoint, this blocks until the result is there, and raises what `function`
    raises. Raises RuntimeError if `loop` has ended.
    """
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        return Call(_done(asyncio.run_coroutine_threadsafe(function(), loop).result()))
    if here is not loop:
        return Call(_wait(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), loop))))
    task = loop.create_task(function())
    _running.add(task)
    task.add_done_callback(_running.discard)
    return Call(_wait(task))


class Call(Coroutine[Any, Any, T]):
    """A call that has begun. It can be used wherever asyncio takes a coroutine."""

    def __init__(self, steps: Generator[Any, Any, T]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, T]:
        return self._steps

    def send(self, value: Any) -> Any:
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        return self._steps.throw(*error)

    def close(self) -> None:
        self._steps.close()


def _wait(future: asyncio.Future[T]) -> Generator[Any, Any, T]:
    return (yield from future)


def _done(result: T) -> Generator[Any, Any, T]:
    return result
    yield
