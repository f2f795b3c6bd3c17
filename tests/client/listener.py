"""The sans-I/O client on the fake server's wire, and what its consumer got."""

from typing import Any

from hubbub.client.entries import Entry, Positions, Reset
from hubbub.client.sync import Sync
from tests.client.fake_server import FakeServer


class Listener:
    """A client on the fake server's wire, and what its consumer received."""

    def __init__(self, server: FakeServer, capacity: int = 4, since: Positions | None = None) -> None:
        self.server = server
        self.sync = Sync(since, capacity)
        self.capacity = capacity
        self.heard: list[Entry | Reset] = []
        self.now = 0.0

    def connect(self) -> None:
        self.sync.lost()
        self.server.hello(self.sync.hello())

    def deliver(self) -> None:
        """Deliver the next frame on the wire and send what the client answers."""
        if self.server.wire:
            self.sync.receive(self.server.wire.popleft(), self.now)
        self.talk()

    def talk(self) -> None:
        self.server.asked.extend(self.sync.outgoing(self.now))
        if self.sync.inbox.stale:
            self.connect()

    def lose(self) -> None:
        """Drop the next event on the wire."""
        if self.server.wire and "seq" in self.server.wire[0]:
            self.server.wire.popleft()

    def consume(self) -> None:
        item = self.sync.take()
        if item is not None:
            self.heard.append(item)
        self.talk()

    def settle(self) -> None:
        """Reconnect and consume without further faults until nothing changes."""
        self.connect()
        for _ in range(2_000):
            before = len(self.heard)
            self.deliver()
            self.server.answer()
            self.consume()
            if not self.server.wire and not self.server.asked and len(self.heard) == before:
                return
        raise AssertionError("the client and the server never come to rest")


def welcomed(**options: Any) -> tuple[FakeServer, Listener]:
    """Return a server and a client that has received its welcome."""
    server = FakeServer()
    client = Listener(server, **options)
    client.connect()
    client.deliver()
    return server, client
