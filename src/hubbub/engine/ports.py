"""Interfaces that the engine uses: the bus, queries to the store."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.domain.events import Entry

T = TypeVar("T")


class BusListener(Protocol):
    """What a bus tells its node. All methods are called on the event loop and return at once."""

    def receive(self, entries: Sequence[Entry]) -> None:
        """Take entries of one topic that another node has committed, in log order."""

    def announce(self, heads: Mapping[str, int]) -> None:
        """Note that topics reach at least to these seqs: the entries are in the log."""

    def check(self, topics: Collection[str] | None) -> None:
        """Compare the heads of these topics with the log soon; None means all live topics.

        Entries may be missing: the topics were joined just now, or a message was lost.
        """

    def doubt_epoch(self) -> None:
        """Note that another node follows another epoch than this one."""


class Bus(Protocol):
    """Carries published entries to the other nodes.

    It may lose, delay or repeat them; the log is authoritative. Its methods must be called on the
    event loop, and none but `close` waits.
    """

    epoch: str
    """The epoch of what this node publishes. The node sets it."""

    @property
    def node(self) -> str:
        """The id of this node: another one after each start. Empty if there are no others."""

    @property
    def connects(self) -> bool:
        """Whether there can be other nodes. It does not change."""

    @property
    def connected(self) -> bool:
        """Whether messages are carried at the moment."""

    def start(self, listener: BusListener) -> None:
        """Connect, now and after every interruption, and tell the listener what other nodes publish."""

    def publish(self, entries: Sequence[Entry]) -> None:
        """Send the entries of one commit, in log order. What does not fit is dropped and counted."""

    def join(self, topic: str) -> None:
        """Listen to a topic. Calls are counted: each needs its own `leave`."""

    def leave(self, topic: str) -> None:
        """Listen to a topic no longer, after a short while."""

    def alert(self) -> None:
        """Make the other nodes compare all their topics with the log, and their epochs."""

    def signal(self, kind: str, content: Mapping[str, Any], topic: str | None = None) -> None:
        """Tell the other nodes, or only those that follow `topic`, something that is not stored.

        Signals of one node arrive in order, at most once. What cannot be sent soon is dropped.
        `content` is a JSON object of at most 6,000 bytes in ASCII. Raises ValueError if it is
        longer, TypeError if it is not JSON.
        """

    def on_signal(
        self, kind: str, receiver: Callable[[str, Mapping[str, Any]], None], *, any_epoch: bool = False
    ) -> None:
        """Call `receiver(node, content)` for signals of a kind. A kind may have several receivers.

        The content may come from a newer or older version. If it does not fit, the receiver raises
        LookupError, TypeError or ValueError, and the signal is ignored. Signals of another epoch
        are passed only with `any_epoch`. Kinds without a receiver are ignored. "hello" and "bye"
        come from the bus of a node that has connected, and of one that leaves for good.
        """

    async def close(self) -> None:
        """Stop. Nothing is delivered afterwards."""


class Read(Protocol):
    """Runs a query on a reader thread and returns its result."""

    def __call__(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]: ...
