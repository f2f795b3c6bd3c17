"""The client's side of hubbub.v1, sans-I/O: frames in, frames out.

Uses no socket, clock or thread.

hello()            returns the first frame on a new connection
receive(frame)     handles a frame from the server
outgoing()         returns the frames to send now; `next_due` tells when to call it again
lost()             handles the end of the connection
take()             returns the next entry for the consumer; frees space, so that there may be more to send
"""

from collections.abc import Iterator
from itertools import count

from hubbub.client.entries import Entry, Frame, Positions, Reset
from hubbub.client.inbox import Inbox
from hubbub.client.outbox import Command, Outbox
from hubbub.domain.model import User


class Sync:
    """The state over all connections. Times are seconds of one monotonic clock."""

    def __init__(self, since: Positions | None = None, capacity: int = 1_000) -> None:
        self.inbox = Inbox(since, capacity)
        self.outbox = Outbox()
        self.me: User | None = None
        self.live = False
        """True between `welcome` and the end of the connection."""
        self.largest_frame = 2**15
        self._numbers = count(1)
        self._asked_at: float | None = None

    def hello(self) -> Frame:
        """Return the `hello` frame. The handshake carries the credentials."""
        epoch = self.inbox.epoch
        have = dict(self.inbox.have())
        return {"type": "hello"} if epoch is None else {"type": "hello", "epoch": epoch, "have": have}

    def receive(self, frame: Frame, now: float) -> None:
        """Handle one frame. Unknown kinds are ignored."""
        if "re" in frame:
            if frame["re"] is not None and not self.outbox.answered(frame, now):
                self.inbox.page(frame, now)
                self._asked_at = now if self.inbox.asking else None
        elif "seq" in frame and "topic" in frame:
            self.inbox.event(frame)
        elif frame.get("type") == "more":
            self.inbox.more(frame)
        elif frame.get("type") == "reset":
            self.inbox.reset(frame)
        elif frame.get("type") == "welcome":
            self.inbox.welcome(frame)
            self.me = User.model_validate(frame["user"])
            self.largest_frame = frame["limits"]["frame"]
            self.live = True

    def lost(self) -> None:
        """Handle the end of the connection."""
        self.live = False
        self._asked_at = None
        self.inbox.lost()
        self.outbox.lost()

    def outgoing(self, now: float) -> Iterator[Frame]:
        """Yield the frames to send now."""
        if not self.live:
            return
        yield from self.outbox.due(now, self._numbers)
        for question in self.inbox.questions(now, self._numbers):
            self._asked_at = now
            yield question

    def next_due(self) -> float | None:
        """Return when there will be something to send if nothing happens; None if never."""
        times = [time for time in (self.outbox.next_due(), self.inbox.next_due()) if time is not None]
        return min(times, default=None) if self.live else None

    def waiting_since(self) -> float | None:
        """Return since when an answer is outstanding; None if none is."""
        times = [time for time in (self.outbox.oldest(), self._asked_at) if time is not None]
        return min(times, default=None)

    def ask(self, command: Command) -> None:
        self.outbox.add(command)

    def take(self) -> Entry | Reset | None:
        return self.inbox.take()
