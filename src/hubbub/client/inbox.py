"""Incoming events, sans-I/O: each event of each topic once and in order.

This holds whatever is lost, doubled or late on the way.

The inbox takes a topic's next event (`last` + 1), ignores older ones, and queries the gap before
any other. A full inbox creates a gap like any other: entries that do not fit are dropped and
queried when there is space again. So memory is bounded, the connection is always read, and a slow
consumer loses nothing that the server still has.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hubbub.client.entries import Entry, Frame, Positions, Reset, entry
from hubbub.client.refusals import PATIENCE, refusal
from hubbub.domain.model import Room, User, room_topic, user_topic
from hubbub.domain.text import MAX_HAVE, MAX_ID, MAX_PAGE

NOWHERE = MAX_ID
"""A position that no log reaches: a client that claims it is told to reset."""


@dataclass(slots=True)
class Topic:
    """The state of a topic.

    `last` is None while the start is unknown: until the user topic tells when the user joined.
    """

    last: int | None
    top: int
    """The highest seq known to exist."""
    start: int | None = None
    """The head in `welcome`.

    The topic starts there, with a reset, if the user topic does not tell.
    """
    asking: int | None = None
    not_before: float = 0.0
    ahead: list[Entry] = field(default_factory=list)
    """Entries that arrived live while a page is requested; usually they follow it."""


class Inbox:
    """Holds about `capacity` entries at most."""

    def __init__(self, since: Positions | None, capacity: int) -> None:
        self.epoch = since.epoch if since is not None else None
        self.rooms: dict[int, Room] = {}
        self.stale = False
        """Whether only a new `welcome` can restore a consistent state."""
        self._capacity = capacity
        self._queue: deque[Entry | Reset] = deque()
        self._in_hand: Entry | Reset | None = None
        self._topics = {name: Topic(seq, seq) for name, seq in (since.have if since is not None else {}).items()}
        self._named: Mapping[str, int] = {}
        self._behind: dict[str, None] = {}
        self._queries: dict[int, str] = {}
        self._own = ""
        self._greeted = 0  # the head of the user topic in `welcome`: it includes the memberships up to there
        self._folded = 0  # memberships are known up to here, by events received since

    # --- the consumer --------------------------------------------------------------------------------------------

    def take(self) -> Entry | Reset | None:
        """Return the next item and finish the previous one; None if there is none yet."""
        self._in_hand = self._queue.popleft() if self._queue else None
        return self._in_hand

    def positions(self) -> Positions | None:
        """Return what was consumed: everything before the current item.

        None before the first `welcome`.
        """
        if self.epoch is None:
            return None
        have = {name: topic.last for name, topic in self._topics.items() if topic.last is not None}
        unread = [*reversed(self._queue), *([self._in_hand] if self._in_hand is not None else [])]
        for item in unread:
            if isinstance(item, Reset) and item.topic in have:
                have[item.topic] = NOWHERE  # entries that wait before it may be of another history
            elif isinstance(item, Entry) and have.get(item.topic, NOWHERE) != NOWHERE:
                have[item.topic] = item.seq - 1
        return Positions(self.epoch, have)

    # --- the connection ------------------------------------------------------------------------------------------

    def have(self) -> Mapping[str, int]:
        """Return the `have` of `hello`."""
        known = ((name, topic.last) for name, topic in self._topics.items() if topic.last is not None)
        self._named = dict(islice(known, MAX_HAVE))
        return self._named

    def lost(self) -> None:
        """Forget the queries of a connection that ended."""
        self.stale = False
        self._queries.clear()
        self._behind.clear()

    def welcome(self, frame: Frame) -> None:
        """Follow the topics in `heads`.

        The server continues from the client's positions, or says why it cannot.
        """
        me = User.model_validate(frame["user"])
        self.rooms = {room["id"]: Room.model_validate(room) for room in frame["rooms"]}
        self._own = user_topic(me.id)
        before, self._topics = self._topics, {}
        same = self.epoch == frame["epoch"]
        self.epoch = frame["epoch"]
        for name, head in frame["heads"].items():
            known = before.get(name)
            if known is not None:
                # Seqs of another history mean nothing: the server will say so, on this connection
                # or the next.
                last = known.last if same else NOWHERE
                self._topics[name] = Topic(last, max(head, last or 0), start=head)
                if last is not None and last != head and name not in self._named:
                    self._behind[name] = None
            elif self._own in before and name.startswith("room:"):
                self._topics[name] = Topic(None, head, start=head)
            else:
                self._topics[name] = Topic(head, head)
        self._greeted = self._folded = frame["heads"][self._own]
        self._settle_starts()

    def event(self, frame: Frame) -> None:
        """Handle an event that arrived live, or after `welcome`."""
        name, seq = frame["topic"], frame["seq"]
        self._fold(frame)
        topic = self._topics.setdefault(name, Topic(None, seq))  # a room's event may precede its `room.added`
        topic.top = max(topic.top, seq)
        if topic.last is None or seq <= topic.last:
            return
        if seq == topic.last + 1 and self._has_space():
            self._put(topic, entry(frame))
        elif topic.asking is not None and len(topic.ahead) < MAX_PAGE:
            topic.ahead.append(entry(frame))
        self._check(name)

    def more(self, frame: Frame) -> None:
        """Handle `more`: the log has more than was sent after `welcome`."""
        topic = self._topics.get(frame["topic"])
        if topic is not None:
            topic.top = max(topic.top, frame["head"])
            self._check(frame["topic"])

    def reset(self, frame: Frame) -> None:
        """Handle `reset`.

        Without a head, the user lost access to the topic, and nothing follows.
        """
        topic = self._topics.get(frame["topic"])
        if topic is not None and "head" in frame and topic.last != frame["head"]:
            self._reset(frame["topic"], frame["head"], frame["floor"])

    def page(self, frame: Frame, now: float) -> bool:
        """Handle a response. Return whether it answers a query for a gap."""
        name = self._queries.pop(frame["re"], None)
        if name is None:
            return False
        topic = self._topics.get(name)
        if topic is None or topic.asking != frame["re"]:
            return True  # the user left the room meanwhile
        topic.asking = None
        ahead, topic.ahead = topic.ahead, []
        if "error" in frame:
            error = refusal(frame["error"])
            if error.retryable:
                topic.not_before = now + (PATIENCE if error.retry_after is None else error.retry_after)
                self._check(name)
            return True  # otherwise the user lost access: the user topic says so
        if frame["ok"].get("reset"):
            self._reset(name, frame["ok"]["head"], frame["ok"]["floor"])
            self.stale = name == self._own
        else:
            self._fill(name, topic, frame["ok"], ahead)
        return True

    def questions(self, now: float, numbers: Iterator[int]) -> Iterator[Frame]:
        """Yield queries for the gaps, as far as there is space for the answers."""
        if len(self._queue) > self._capacity // 2:
            return
        limit = min(MAX_PAGE, max(1, self._capacity - len(self._queue)))
        for name in [name for name in self._behind if self._topics[name].not_before <= now]:
            del self._behind[name]
            topic = self._topics[name]
            topic.asking = next(numbers)
            self._queries[topic.asking] = name
            yield {
                "id": topic.asking, "type": "events.since", "topic": name, "epoch": self.epoch, "after": topic.last,
                "limit": limit,
            }  # fmt: skip

    def next_due(self) -> float | None:
        """Return when the next query may be sent; None if none, or no space for an answer."""
        if len(self._queue) > self._capacity // 2:
            return None
        return min((self._topics[name].not_before for name in self._behind), default=None)

    @property
    def asking(self) -> bool:
        """Whether a query is unanswered."""
        return bool(self._queries)

    # --- inside --------------------------------------------------------------------------------------------------

    def _has_space(self) -> bool:
        return len(self._queue) < self._capacity

    def _check(self, name: str) -> None:
        topic = self._topics[name]
        if topic.last is not None and topic.last < topic.top and topic.asking is None:
            self._behind[name] = None

    def _put(self, topic: Topic, item: Entry) -> None:
        topic.last = item.seq
        self._queue.append(item)
        if item.topic == self._own:
            if item.type == "room.added":
                self._begin(item.fields["details"])
            self._settle_starts()

    def _fill(self, name: str, topic: Topic, page: Frame, ahead: list[Entry]) -> None:
        before, events = topic.last or 0, page["events"]
        topic.top = max(topic.top, page["head"])
        if before < page["head"] and (not events or events[0]["seq"] > before + 1):
            # A page without progress would not bring progress the next time either.
            self._reset(name, page["head"], page["head"])
            return
        for item in (*map(entry, events), *ahead):
            self._fold(item.fields)
            if item.seq == (topic.last or 0) + 1 and self._has_space():
                self._put(topic, item)
        if name in self._topics:
            self._topics[name] = self._topics.pop(name)  # other topics are queried first the next time
            self._check(name)

    def _reset(self, name: str, head: int, floor: int, top: int = 0) -> None:
        self._topics[name] = Topic(head, max(head, top))
        self._behind.pop(name, None)
        self._queue.append(Reset(name, head, floor))
        self._check(name)
        if name == self._own:
            self._settle_starts()

    # --- memberships ---------------------------------------------------------------------------------------------

    def _fold(self, frame: Mapping[str, Any]) -> None:
        """Apply a membership change.

        They apply when received, in the user topic's order, even with a full inbox.
        """
        if frame["topic"] != self._own or frame["seq"] != self._folded + 1:
            return
        self._folded += 1
        if frame["type"] == "room.added":
            room = Room.model_validate(frame["details"])
            self.rooms[room.id] = room
            self._topics.setdefault(room_topic(room.id), Topic(None, 0))
            self._begin(frame["details"])
        elif frame["type"] == "room.removed":
            self.rooms.pop(frame["room"], None)
            self._topics.pop(room_topic(frame["room"]), None)
            self._behind.pop(room_topic(frame["room"]), None)

    def _begin(self, room: Mapping[str, Any]) -> None:
        """Start the topic of a joined room at its `head`, unless the start is known."""
        name = room_topic(room["id"])
        topic = self._topics.get(name)
        if topic is not None and topic.last is None:
            topic.last = room.get("head") or 0
            topic.top = max(topic.top, topic.last)
            self._check(name)

    def _settle_starts(self) -> None:
        """Start the rest with a reset.

        All events before `welcome` are known, and none tells when the user joined.
        """
        own = self._topics[self._own].last
        if own is None or own < self._greeted:
            return
        for name, topic in list(self._topics.items()):
            if topic.last is None and topic.start is not None:
                room = self.rooms.get(int(name.removeprefix("room:")))
                self._reset(name, topic.start, (room.floor if room is not None else None) or 0, topic.top)
