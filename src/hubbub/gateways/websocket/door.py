"""Who may come in: counts the sockets that nobody has authenticated yet, per address and in all."""

from collections.abc import Callable


class Door:
    """`unlimited` still counts, but refuses nobody."""

    def __init__(self, per_address: int, total: int, *, unlimited: bool = False) -> None:
        self._per_address = per_address
        self._total = total
        self._unlimited = unlimited
        self._addresses: dict[str, int] = {}
        self.waiting = 0
        """Sockets that are not authenticated yet."""
        self.on_full: Callable[[bool], None] | None = None
        """Called with True when there is no room for anybody, with False when there is room again."""

    def enter(self, bucket: str) -> bool:
        """Counts a socket in; False, and nothing counted, when its address has too many already."""
        here = self._addresses.get(bucket, 0)
        if here >= self._per_address and not self._unlimited:
            return False
        self._addresses[bucket] = here + 1
        self.waiting += 1
        if self.waiting == self._total:
            self._tell(True)
        return True

    @property
    def is_full(self) -> bool:
        """Whether there is no room for anybody."""
        return self.waiting >= self._total and not self._unlimited

    def leave(self, bucket: str) -> None:
        """The socket is authenticated, or gone. Once for each that entered."""
        here = self._addresses[bucket] - 1
        if here:
            self._addresses[bucket] = here
        else:
            del self._addresses[bucket]
        self.waiting -= 1
        if self.waiting == self._total - 1:
            self._tell(False)

    def _tell(self, full: bool) -> None:
        if self.on_full is not None and not self._unlimited:
            self.on_full(full)
