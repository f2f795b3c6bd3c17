"""A model of the server's side of hubbub.v1, with a wire the test controls."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]
ME, OWN, LOBBY = 7, "user:7", "room:1"
MISSING = 3


def room_of(number: int) -> Frame:
    return {
        "id": number, "kind": "public", "name": f"room {number}", "lobby": number == 1, "created_at": "",
        "member_count": 1, "joined": True,
    }  # fmt: skip


@dataclass
class Log:
    """A topic's events, of which the first `floor` are trimmed."""

    events: list[Frame] = field(default_factory=list)
    floor: int = 0

    @property
    def head(self) -> int:
        return len(self.events)

    def since(self, after: int, limit: int, floor: int = 0) -> list[Frame] | None:
        if after > self.head or after < max(self.floor, floor):
            return None
        return self.events[after : after + limit]


class FakeServer:
    """A model server.

    Entries published while a client is connected go onto `wire`; `answer` handles the next query.
    """

    def __init__(self) -> None:
        self.epoch = 1
        self.logs = {OWN: Log(), "site": Log(), **{f"room:{number}": Log() for number in (1, 2, 3)}}
        self.joined = {1: 0}
        self.wire: deque[Frame] = deque()
        self.asked: deque[Frame] = deque()
        self.connected = False

    # --- what happens on the server ---------------------------------------------------------------------------

    def say(self, topic: str, kind: str = "message.sent", **fields: Any) -> None:
        log = self.logs[topic]
        frame = {"topic": topic, "seq": log.head + 1, "type": kind, "epoch": self.epoch, **fields}
        log.events.append(frame)
        if self.connected and topic in self.followed():
            self.wire.append(frame)

    def join(self, number: int) -> None:
        if number not in self.joined:
            head = self.logs[f"room:{number}"].head
            self.say(OWN, "room.added", room=number, details={**room_of(number), "head": head})
            self.joined[number] = head

    def leave(self, number: int) -> None:
        if number in self.joined and number != 1:
            del self.joined[number]
            self.say(OWN, "room.removed", room=number)

    def trim(self, topic: str) -> None:
        self.logs[topic].floor = self.logs[topic].head

    def restore(self) -> None:
        """Restore a backup: start another history, shorter or longer by chance."""
        self.epoch += 1
        for log in self.logs.values():
            log.events = [{**frame, "epoch": self.epoch} for frame in log.events]
        self.connected = False
        self.wire.clear()
        self.asked.clear()

    # --- the connection ------------------------------------------------------------------------------------------

    def followed(self) -> list[str]:
        return [OWN, "site", *(f"room:{number}" for number in self.joined)]

    def hello(self, frame: Frame) -> None:
        self.connected = True
        self.wire.clear()
        self.asked.clear()
        heads = {topic: self.logs[topic].head for topic in self.followed()}
        self.wire.append(
            {
                "type": "welcome", "epoch": str(self.epoch), "heads": heads, "limits": {"frame": 65_536},
                "user": {"id": ME, "name": "me", "role": "member", "created_at": ""},
                "rooms": [room_of(number) for number in self.joined],
            }
        )  # fmt: skip
        right = frame.get("epoch", str(self.epoch)) == str(self.epoch)
        for topic, after in frame.get("have", {}).items():
            if topic not in heads:
                self.wire.append({"type": "reset", "topic": topic})
                continue
            page = self.logs[topic].since(after, MISSING, self._floor(topic)) if right else None
            if page is None:
                self.wire.append({"type": "reset", "topic": topic, "head": heads[topic], "floor": self._floor(topic)})
                continue
            self.wire.extend(page)
            if after + len(page) < heads[topic]:
                self.wire.append({"type": "more", "topic": topic, "head": heads[topic]})

    def answer(self) -> None:
        """Answer the next query, if there is one."""
        if not self.asked:
            return
        question = self.asked.popleft()
        topic = question["topic"]
        if topic not in self.followed():
            self.wire.append({"re": question["id"], "error": {"code": "not_found", "message": "Not yours."}})
            return
        log, right = self.logs[topic], question["epoch"] == str(self.epoch)
        page = log.since(question["after"], min(MISSING, question["limit"]), self._floor(topic)) if right else None
        ok: Frame = {"epoch": str(self.epoch), "head": log.head}
        ok |= {"reset": True, "floor": self._floor(topic)} if page is None else {"events": page}
        self.wire.append({"re": question["id"], "ok": ok})

    def _floor(self, topic: str) -> int:
        own = self.joined.get(int(topic[5:]), 0) if topic.startswith("room:") else 0
        return max(own, self.logs[topic].floor)
