"""What is heard, pure: each event of each topic once and in order, whatever is lost, doubled or late on the way.

A topic's next event (`last` + 1) is taken, an older one ignored, and after any other the gap between is asked for. A
full inbox makes a gap like any other: what does not fit is let go, and asked for when there is room again. So memory
is bounded, the connection is always read, and a slow consumer loses nothing that the server still has.
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
"""A position that no log reaches: whoever claims it is told to reset."""


@dataclass(slots=True)
class Topic:
    """`last` is None while it is not known where to begin: until one's own topic says when one came in."""

    last: int | None
    top: int
    """The highest seq known to exist."""
    start: int | None = None
    """Where to begin, with a reset, if one's own topic does not say it: the head in `welcome`."""
    asking: int | None = None
    not_before: float = 0.0
    ahead: list[Entry] = field(default_factory=list)
    """What came live while a page is under way: what follows the page, mostly."""


class Inbox:
    """At most about `capacity` entries wait in it."""

    def __init__(self, since: Positions | None, capacity: int) -> None:
        self.epoch = since.epoch if since is not None else None
        self.rooms: dict[int, Room] = {}
        self.stale = False
        """Whether only a new `welcome` can bring a right picture again."""
        self._capacity = capacity
        self._queue: deque[Entry | Reset] = deque()
        self._in_hand: Entry | Reset | None = None
        self._topics = {name: Topic(seq, seq) for name, seq in (since.have if since is not None else {}).items()}
        self._named: Mapping[str, int] = {}
        self._behind: dict[str, None] = {}
        self._asked: dict[int, str] = {}
        self._own = ""
        self._greeted = 0  # the head of one's own topic in `welcome`: memberships up to there are told by it
        self._folded = 0  # and up to here, with what was heard since

    # --- the consumer --------------------------------------------------------------------------------------------

    def take(self) -> Entry | Reset | None:
        """The next one, which ends the one before; None if there is none yet."""
        self._in_hand = self._queue.popleft() if self._queue else None
        return self._in_hand

    def positions(self) -> Positions | None:
        """What was consumed: all before the one in hand. None before the first `welcome`."""
        if self.epoch is None:
            return None
        have = {name: topic.last for name, topic in self._topics.items() if topic.last is not None}
        unread = [*reversed(self._queue), *([self._in_hand] if self._in_hand is not None else [])]
        for one in unread:
            if isinstance(one, Reset) and one.topic in have:
                have[one.topic] = NOWHERE  # whatever waits before it may be of another history
            elif isinstance(one, Entry) and have.get(one.topic, NOWHERE) != NOWHERE:
                have[one.topic] = one.seq - 1
        return Positions(self.epoch, have)

    # --- the connection ------------------------------------------------------------------------------------------

    def have(self) -> Mapping[str, int]:
        """What `hello` says."""
        known = ((name, topic.last) for name, topic in self._topics.items() if topic.last is not None)
        self._named = dict(islice(known, MAX_HAVE))
        return self._named

    def lost(self) -> None:
        """The connection is gone, and what was asked with it."""
        self.stale = False
        self._asked.clear()
        self._behind.clear()

    def welcome(self, frame: Frame) -> None:
        """Follows the topics in `heads`. The server sends on from where we said we are, or says why not."""
        me = User.model_validate(frame["user"])
        self.rooms = {room["id"]: Room.model_validate(room) for room in frame["rooms"]}
        self._own = user_topic(me.id)
        before, self._topics = self._topics, {}
        same = self.epoch == frame["epoch"]
        self.epoch = frame["epoch"]
        for name, head in frame["heads"].items():
            known = before.get(name)
            if known is not None:
                # In another history our seqs mean nothing: the server will say so, on this connection or the next.
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
        """An event came live, or after `welcome`."""
        name, seq = frame["topic"], frame["seq"]
        self._fold(frame)
        topic = self._topics.setdefault(name, Topic(None, seq))  # a room may speak before we hear that we are in it
        topic.top = max(topic.top, seq)
        if topic.last is None or seq <= topic.last:
            return
        if seq == topic.last + 1 and self._room():
            self._put(topic, entry(frame))
        elif topic.asking is not None and len(topic.ahead) < MAX_PAGE:
            topic.ahead.append(entry(frame))
        self._check(name)

    def more(self, frame: Frame) -> None:
        """There is more than was sent after `welcome`."""
        topic = self._topics.get(frame["topic"])
        if topic is not None:
            topic.top = max(topic.top, frame["head"])
            self._check(frame["topic"])

    def reset(self, frame: Frame) -> None:
        """There is no way from where we were. Without a head, the topic is not ours any more, and not followed."""
        topic = self._topics.get(frame["topic"])
        if topic is not None and "head" in frame and topic.last != frame["head"]:
            self._reset(frame["topic"], frame["head"], frame["floor"])

    def page(self, frame: Frame, now: float) -> bool:
        """Whether this was the answer to a question for a gap."""
        name = self._asked.pop(frame["re"], None)
        if name is None:
            return False
        topic = self._topics.get(name)
        if topic is None or topic.asking != frame["re"]:
            return True  # left meanwhile
        topic.asking = None
        ahead, topic.ahead = topic.ahead, []
        if "error" in frame:
            error = refusal(frame["error"])
            if error.retryable:
                topic.not_before = now + (PATIENCE if error.retry_after is None else error.retry_after)
                self._check(name)
            return True  # else not ours any more: our own topic says so
        if frame["ok"].get("reset"):
            self._reset(name, frame["ok"]["head"], frame["ok"]["floor"])
            self.stale = name == self._own
        else:
            self._fill(name, topic, frame["ok"], ahead)
        return True

    def questions(self, now: float, numbers: Iterator[int]) -> Iterator[Frame]:
        """For the gaps there are, as far as there is room for what would come."""
        if len(self._queue) > self._capacity // 2:
            return
        limit = min(MAX_PAGE, max(1, self._capacity - len(self._queue)))
        for name in [name for name in self._behind if self._topics[name].not_before <= now]:
            del self._behind[name]
            topic = self._topics[name]
            topic.asking = next(numbers)
            self._asked[topic.asking] = name
            yield {
                "id": topic.asking, "type": "events.since", "topic": name, "epoch": self.epoch, "after": topic.last,
                "limit": limit,
            }  # fmt: skip

    def next_due(self) -> float | None:
        """When the next question may be asked; None if there is none, or no room for an answer."""
        if len(self._queue) > self._capacity // 2:
            return None
        return min((self._topics[name].not_before for name in self._behind), default=None)

    @property
    def asking(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._asked)

    # --- inside --------------------------------------------------------------------------------------------------

    def _room(self) -> bool:
        return len(self._queue) < self._capacity

    def _check(self, name: str) -> None:
        topic = self._topics[name]
        if topic.last is not None and topic.last < topic.top and topic.asking is None:
            self._behind[name] = None

    def _put(self, topic: Topic, one: Entry) -> None:
        topic.last = one.seq
        self._queue.append(one)
        if one.topic == self._own:
            if one.type == "room.added":
                self._begin(one.fields["room"])
            self._settle_starts()

    def _fill(self, name: str, topic: Topic, page: Frame, ahead: list[Entry]) -> None:
        before, events = topic.last or 0, page["events"]
        topic.top = max(topic.top, page["head"])
        if before < page["head"] and (not events or events[0]["seq"] > before + 1):
            # A page that brings us no further would bring us no further the next time either.
            self._reset(name, page["head"], page["head"])
            return
        for one in (*map(entry, events), *ahead):
            self._fold(one.fields)
            if one.seq == (topic.last or 0) + 1 and self._room():
                self._put(topic, one)
        if name in self._topics:
            self._topics[name] = self._topics.pop(name)  # others are asked for first the next time
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
        """Memberships take effect when they are heard, in the order of one's own topic, full inbox or not."""
        if frame["topic"] != self._own or frame["seq"] != self._folded + 1:
            return
        self._folded += 1
        if frame["type"] == "room.added":
            room = Room.model_validate(frame["room"])
            self.rooms[room.id] = room
            self._topics.setdefault(room_topic(room.id), Topic(None, 0))
            self._begin(frame["room"])
        elif frame["type"] == "room.gone":
            self.rooms.pop(frame["room"], None)
            self._topics.pop(room_topic(frame["room"]), None)
            self._behind.pop(room_topic(frame["room"]), None)

    def _begin(self, room: Mapping[str, Any]) -> None:
        """One came into the room at its `head`: what follows is to be heard, if it was not known yet."""
        name = room_topic(room["id"])
        topic = self._topics.get(name)
        if topic is not None and topic.last is None:
            topic.last = room.get("head") or 0
            topic.top = max(topic.top, topic.last)
            self._check(name)

    def _settle_starts(self) -> None:
        """All that can be heard from before `welcome` was, without a word of when one came into these rooms."""
        own = self._topics[self._own].last
        if own is None or own < self._greeted:
            return
        for name, topic in list(self._topics.items()):
            if topic.last is None and topic.start is not None:
                room = self.rooms.get(int(name.removeprefix("room:")))
                self._reset(name, topic.start, (room.floor if room is not None else None) or 0, topic.top)
