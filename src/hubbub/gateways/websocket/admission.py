"""Admission control: limits idle connections, and evicts one for a newcomer.

A connection that waits for its client occupies a slot without doing work. When all slots are taken,
the network with the most idle connections loses its oldest one, so a newcomer from another network
always gets in.
"""

from collections.abc import Callable


class Slot:
    """One admitted connection.

    It is idle while the server waits for the client; only idle slots are evicted.
    """

    __slots__ = ("_evict", "network")

    def __init__(self, network: str, evict: Callable[[], None]) -> None:
        self.network = network
        self._evict: Callable[[], None] | None = evict

    @property
    def is_released(self) -> bool:
        return self._evict is None

    def take_callback(self) -> Callable[[], None] | None:
        """Return the callback that ends the connection, once; None after release."""
        evict, self._evict = self._evict, None
        return evict


class AdmissionControl:
    """Counts the slots per network (see `protocol.headers.network`).

    Use it in the event loop's thread only.
    """

    def __init__(self, *, idle_max: int | None = None, per_network: int | None = None) -> None:
        """Allow `idle_max` idle slots, and `per_network` slots of any kind per network.

        None means no limit.
        """
        self._idle_max = idle_max
        self._per_network = per_network
        self._admitted: dict[str, int] = {}
        self._idle: dict[str, dict[Slot, None]] = {}
        self._idle_count = 0
        self.count = 0
        """The number of slots that are not released."""
        self.evicted = 0
        """The number of connections evicted since the start."""

    @property
    def is_nearly_full(self) -> bool:
        """True if at least three quarters of the idle slots are taken."""
        return self._idle_max is not None and 4 * self._idle_count >= 3 * self._idle_max

    def try_acquire(self, network: str, evict: Callable[[], None]) -> Slot | None:
        """Return an idle slot, or None if the network has reached its limit.

        `evict` ends the connection.
        """
        if self._per_network is not None and self._admitted.get(network, 0) >= self._per_network:
            return None
        if self._idle_max is not None and self._idle_count >= self._idle_max and not self.make_room(network):
            return None
        slot = Slot(network, evict)
        self._admitted[network] = self._admitted.get(network, 0) + 1
        self.count += 1
        self._add_idle(slot)
        return slot

    def idle_of(self, network: str | None) -> int:
        """Return the number of the network's idle slots; 0 for None."""
        return len(self._idle.get(network, ())) if network is not None else 0

    def make_room(self, network: str | None, elsewhere: int = 0) -> bool:
        """Evict a connection for a newcomer of `network` (None: of a trusted proxy).

        Return False if none qualifies.

        Another network must have more idle slots than the newcomer's. `elsewhere` is the number of
        the newcomer's slots in other controls.
        """
        busiest = max(self._idle.values(), key=len, default={})
        if len(busiest) <= self.idle_of(network) + elsewhere:
            return False
        self._evict_oldest(busiest)
        return True

    def set_busy(self, slot: Slot) -> None:
        """Protect the slot from eviction until `set_idle`: the client has done its part.

        Idempotent.
        """
        idle = self._idle.get(slot.network)
        if idle is not None and slot in idle:
            del idle[slot]
            self._idle_count -= 1
            if not idle:
                del self._idle[slot.network]

    def set_idle(self, slot: Slot) -> None:
        """Mark that the server waits for the client.

        Over the limit, evict from the busiest network.
        """
        if slot.is_released or slot in self._idle.get(slot.network, ()):
            return
        self._add_idle(slot)
        if self._idle_max is not None and self._idle_count > self._idle_max:
            self._evict_oldest(max(self._idle.values(), key=len))

    def release(self, slot: Slot) -> None:
        """Release the slot: the connection is authenticated, served or gone. Idempotent."""
        if slot.take_callback() is not None:
            self._forget(slot)

    def _add_idle(self, slot: Slot) -> None:
        self._idle.setdefault(slot.network, {})[slot] = None
        self._idle_count += 1

    def _evict_oldest(self, idle: dict[Slot, None]) -> None:
        slot = next(iter(idle))
        evict = slot.take_callback()
        self._forget(slot)
        self.evicted += 1
        if evict is not None:
            evict()

    def _forget(self, slot: Slot) -> None:
        self.set_busy(slot)
        self.count -= 1
        left = self._admitted[slot.network] - 1
        if left:
            self._admitted[slot.network] = left
        else:
            del self._admitted[slot.network]
