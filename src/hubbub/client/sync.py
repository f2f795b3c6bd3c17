"""A client's side of hubbub.v1, sans-I/O: frames in, frames out. It knows no socket, no clock and no thread.

hello()            what to say first on a new connection
receive(frame)     what was heard
outgoing()         what is to be said now; `next_due` says when to ask again
lost()             the connection is gone
take()             the next entry for the consumer; makes room, so that more may be to be said
"""

from collections.abc import Iterator
from itertools import count

from hubbub.client.entries import Entry, Frame, Positions, Reset
from hubbub.client.inbox import Inbox
from hubbub.client.outbox import Command, Outbox
from hubbub.domain.model import User


class Sync:
    """Times are seconds of one monotonic clock."""

    def __init__(self, since: Positions | None = None, capacity: int = 1_000) -> None:
        self.inbox = Inbox(since, capacity)
        self.outbox = Outbox()
        self.me: User | None = None
        self.live = False
        """Between `welcome` and the end of the connection."""
        self.largest_frame = 2**15
        self._numbers = count(1)
        self._asked_at: float | None = None

    def hello(self) -> Frame:
        """Who we are is told by the handshake."""
        epoch = self.inbox.epoch
        have = dict(self.inbox.have())
        return {"type": "hello"} if epoch is None else {"type": "hello", "epoch": epoch, "have": have}

    def receive(self, frame: Frame, now: float) -> None:
        """One frame. Frames of kinds that are not known are none of ours."""
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
        """The connection is gone."""
        self.live = False
        self._asked_at = None
        self.inbox.lost()
        self.outbox.lost()

    def outgoing(self, now: float) -> Iterator[Frame]:
        """What is to be said now."""
        if not self.live:
            return
        yield from self.outbox.due(now, self._numbers)
        for question in self.inbox.questions(now, self._numbers):
            self._asked_at = now
            yield question

    def next_due(self) -> float | None:
        """When there will be something to say, if nothing happens; None if there will not."""
        times = [time for time in (self.outbox.next_due(), self.inbox.next_due()) if time is not None]
        return min(times, default=None) if self.live else None

    def waiting_since(self) -> float | None:
        """Since when an answer is waited for; None if none is."""
        times = [time for time in (self.outbox.oldest(), self._asked_at) if time is not None]
        return min(times, default=None)

    def ask(self, command: Command) -> None:
        self.outbox.add(command)

    def take(self) -> Entry | Reset | None:
        return self.inbox.take()
