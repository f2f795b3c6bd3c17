"""Which topics a node listens to: counted, and kept for a while after the last leave."""

from collections.abc import Iterator

LINGER = 5.0
"""Seconds for which a topic is kept after its last subscriber has left. Most clients that leave
reconnect within them."""


class Interest:
    """The topics that this node listens to. Times are in seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._left: dict[str, float] = {}

    def join(self, topic: str) -> bool:
        """Count a subscriber. Returns whether the topic is new."""
        count = self._counts.get(topic, 0)
        self._counts[topic] = count + 1
        if count:
            return False
        return self._left.pop(topic, None) is None

    def leave(self, topic: str, now: float) -> None:
        """Count a subscriber less."""
        count = self._counts.get(topic, 0)
        if count > 1:
            self._counts[topic] = count - 1
        elif count:
            del self._counts[topic]
            self._left[topic] = now

    def expired(self, now: float) -> list[str]:
        """Return the topics that were left LINGER seconds ago or earlier, and forget them."""
        found = []
        for topic, left in self._left.items():  # in the order in which they were left
            if now - left < LINGER:
                break
            found.append(topic)
        for topic in found:
            del self._left[topic]
        return found

    @property
    def lingers(self) -> bool:
        """Whether there are topics without subscribers."""
        return bool(self._left)

    def __contains__(self, topic: str) -> bool:
        return topic in self._counts or topic in self._left

    def __iter__(self) -> Iterator[str]:
        yield from self._counts
        yield from self._left

    def __len__(self) -> int:
        return len(self._counts) + len(self._left)
