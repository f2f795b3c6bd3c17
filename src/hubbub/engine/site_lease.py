"""A lease of work that one process of a site does at a time, as housekeeping is.

It is taken, renewed and fenced like the lease of a follower (`engine/followers.py`).
"""

import asyncio

from hubbub.clock import Clock
from hubbub.domain.model.followers import Lease
from hubbub.features.shared.followers import Fenced


class SiteLease:
    """What this process knows of a lease. Must be used on the event loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fence = 0
        self._until = 0.0
        self.taken = asyncio.Event()
        """Set when this process has become the owner. The owner's work clears it."""

    @property
    def held(self) -> bool:
        return self._fence > 0 and self._clock.monotonic() < self._until

    def fence(self) -> int:
        """Return the fencing number for the next write. Raises Fenced if the lease has ended."""
        if not self.held:
            raise Fenced()
        return self._fence

    def leased(self, lease: Lease | None, until: float) -> None:
        """Note what is stored. `until` is in the clock's monotonic seconds."""
        before, self._fence, self._until = self._fence, 0 if lease is None else lease.fence, until
        if self._fence and self._fence != before:
            self.taken.set()
