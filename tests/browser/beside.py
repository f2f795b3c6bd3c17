"""A server beside the browser: its event loop has a thread of its own, since Playwright uses the test's."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

PATIENCE = 30.0


class Beside(ABC):
    """Runs from `with` to its end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @abstractmethod
    async def _listen(self) -> None:
        """Begin to accept connections."""

    @abstractmethod
    async def _end(self) -> None:
        """Close everything."""

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on the thread, and wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
