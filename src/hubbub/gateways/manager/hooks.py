"""Functions of the application that a manager calls, and the tasks of those that are coroutines."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.websockets import WebSocket

Moved = Callable[[WebSocket, Any], Any]
"""Called with a WebSocket and the topic it joined or left. None: it connected or disconnected.

An application knows of what type its topics are.
"""
Slow = Callable[[WebSocket, int], Any]
"""Called with a WebSocket and the bytes that wait for it."""
logger = logging.getLogger("hubbub.websocket")


class Hooks:
    """The hooks of a manager."""

    def __init__(self) -> None:
        self.joined: list[Moved] = []
        self.left: list[Moved] = []
        self.slow: list[Slow] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, hooks: Sequence[Callable[..., Any]], *arguments: object) -> "list[asyncio.Task[None]]":
        """Call the hooks, and return the tasks of those that are not done yet.

        Logs what they raise.
        """
        tasks = []
        for hook in hooks:
            try:
                outcome = hook(*arguments)
                if inspect.isawaitable(outcome):
                    task = asyncio.get_running_loop().create_task(_finish(outcome))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                    tasks.append(task)
            except Exception:
                _log()
        return tasks


async def _finish(outcome: Awaitable[object]) -> None:
    try:
        await outcome
    except Exception:
        _log()


def _log() -> None:
    logger.exception("A hook of a ConnectionManager raised an exception.")
