"""Nodes whose bus is a function call: the messages are real, the network is this list of nodes.

Time is a number, so that silence and losses need no waiting.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hubbub.bus.messages import Codec
from hubbub.bus.remote import RemoteBus
from hubbub.bus.signals import BYE, HELLO
from hubbub.clock import Clock
from hubbub.delivery.fanout import Fanout
from hubbub.domain.events import Entry
from hubbub.domain.model import Status
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.presence import GRACE, ONLINE
from hubbub.engine.site_presence import SitePresence
from hubbub.engine.soft_table import INTERVAL, STEP, SoftState

SECRET = b"the signing key of this site ..."


class Time(Clock):
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> int:
        return int(self.seconds * 1_000)

    def monotonic(self) -> float:
        return self.seconds


class CallBus(RemoteBus):
    """A bus that hands each message to the other nodes at once, unless the network loses it."""

    kind = "call"

    def __init__(self, network: "Network", name: str) -> None:
        super().__init__(Codec(SECRET, name))
        self._network = network
        self._listener = _Quiet()

    def signal(self, kind: str, content: Mapping[str, Any], topic: str | None = None) -> None:
        super().signal(kind, content, topic)
        while self._signals:
            _, signals = self._signals.take(64 * 1024)
            self._network.carry(self, self._codec.encode(self.epoch, {}, signals=signals))

    async def _serve(self) -> None:
        raise NotImplementedError  # there is no connection

    def _publish(self, topic: str, entries: Sequence[Entry]) -> None: ...
    def _joined(self, topic: str) -> None: ...
    def _left(self, topics: Sequence[str]) -> None: ...


class _Quiet:
    def receive(self, entries: object) -> None: ...
    def announce(self, heads: object) -> None: ...
    def check(self, topics: object) -> None: ...
    def doubt_epoch(self) -> None: ...


class Network:
    """All nodes, and what their messages cost."""

    def __init__(self) -> None:
        self.time = Time()
        self.nodes: list[SoftNode] = []
        self.messages = self.bytes = 0
        self.loses: Callable[[], bool] = lambda: False

    def carry(self, sender: CallBus, payload: bytes) -> None:
        self.messages += 1
        self.bytes += len(payload)
        for node in self.nodes:
            if node.bus is not sender and node.bus.connected and not self.loses():
                node.bus._handle(payload)

    def add(self) -> "SoftNode":
        node = SoftNode(self, f"node{len(self.nodes)}")
        self.nodes.append(node)
        node.connect()
        return node

    def kill(self, node: "SoftNode") -> None:
        """End a node without a word."""
        self.nodes.remove(node)

    def run(self, seconds: float) -> None:
        """Let time pass on all nodes."""
        for _ in range(round(seconds / STEP)):
            self.time.seconds += STEP
            for node in self.nodes:
                node.state.tick()

    def settle(self) -> None:
        """Let all changes arrive, and all grace end."""
        self.run(GRACE + 1)

    def heal(self) -> None:
        """Let each node tell its whole table again."""
        self.run(2 * INTERVAL)


class SoftNode:
    """The soft state of one node."""

    def __init__(self, network: Network, name: str) -> None:
        self.bus = CallBus(network, name)
        fanout = Fanout()
        self.hub = ConnectionHub(fanout, self.bus, _no_database, network.time, connections_per_user=5)
        ephemeral = Ephemeral(fanout, self.hub, _no_database, network.time)
        self.hub.topics_of = lambda user: None  # type: ignore[method-assign]  # connections are not attached here
        self.presences = self.hub.presences
        self.presences.wake = lambda: None
        self.state = SoftState(self.bus, network.time)
        self.site = SitePresence(self.hub, ephemeral, self.bus, self.state)

    def connect(self) -> None:
        self.bus.connected = True
        self.bus.signal(HELLO, {})

    def leave(self) -> None:
        self.bus.signal(BYE, {})
        self.bus.connected = False

    def enter(self, user: int, chosen: Status = ONLINE, version: int = 1) -> Any:
        connection: Any = object()
        self.presences.expect(user, connection)
        self.presences.connected(user, connection, chosen, version)
        return connection

    def sees(self, *users: int) -> list[str]:
        return [self.presences.of(user).status for user in users]


def _no_database(*_query: Any, **_values: Any) -> Any:
    raise NotImplementedError
