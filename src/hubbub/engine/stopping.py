"""The end of a process: whether it has begun, and how long requests still have to finish."""

import asyncio


class Stopping:
    """The one deadline of everything that is drained. Use it in the event loop's thread only."""

    def __init__(self) -> None:
        self._until: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the process is stopping: it takes no new work."""
        return self._until is not None

    @property
    def seconds_left(self) -> float:
        """The seconds until the deadline, at least 0. Call `begin` first."""
        assert self._until is not None
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def begin(self, seconds: float) -> None:
        """Set the deadline, unless the end has begun already."""
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + seconds
