"""I9: a snapshot and the events since are equal to a fresh snapshot.

Of messages, reactions, members and the observer's own read position, in one room.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.support.checker import SHOWN, Frame
from tests.support.server import Account

ENDED = ("member.left", "member.removed")


@dataclass
class RoomState:
    """What a member's client knows of a room. Reactions are {message: {emoji: users}}."""

    head: int
    messages: dict[int, tuple[Any, ...]]
    members: set[int]
    read_seq: int
    reactions: dict[int, dict[str, set[int]]] = field(default_factory=dict)

    @classmethod
    def load(cls, account: Account, room: int) -> "RoomState":
        """Load a room that does not change meanwhile."""
        found = account.get(f"/api/rooms/{room}")["room"]
        stored = account.history(room)
        page = account.get(f"/api/rooms/{room}/members", limit=200)
        assert not page["more"], "more members than a page has"
        reactions = {
            message["seq"]: {each["emoji"]: set(each["users"]) for each in message["reactions"]}
            for message in stored
            if message["reactions"]
        }
        messages = {message["seq"]: _message(message) for message in stored}
        return cls(found["head"], messages, {each["id"] for each in page["members"]}, found["read_seq"], reactions)

    def copy(self) -> "RoomState":
        return deepcopy(self)

    def apply(self, events: Iterable[Frame], own: Iterable[Frame]) -> "RoomState":
        """Apply the events of the room, and those of the observer's own topic."""
        for event in events:
            if event["seq"] > self.head:
                self._apply(event)
                self.head = event["seq"]
        moved = [event["read_seq"] for event in own if event["type"] == "room.read_moved"]
        self.read_seq = moved[-1] if moved else self.read_seq
        return self

    def _apply(self, event: Frame) -> None:
        match event["type"]:
            case "message.sent":
                self.messages[event["seq"]] = _message(event)
            case "reaction.added":
                self.reactions.setdefault(event["message"], {}).setdefault(event["emoji"], set()).add(event["by"])
            case "reaction.removed":
                users = self.reactions[event["message"]][event["emoji"]]
                users.discard(event["by"])
                if not users:
                    del self.reactions[event["message"]][event["emoji"]]
                if not self.reactions[event["message"]]:
                    del self.reactions[event["message"]]
            case "member.joined":
                self.members.add(event["user"])
            case kind if kind in ENDED or event.get("was_member"):
                self.members.discard(event["user"])

    def differences(self, other: "RoomState", where: str) -> list[str]:
        """Return in what this state, from a client's events, differs from `other`, a fresh one."""
        found = []
        for name in ("head", "messages", "members", "read_seq", "reactions"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                if isinstance(ours, dict):
                    seqs = sorted(seq for seq in ours.keys() | theirs.keys() if ours.get(seq) != theirs.get(seq))
                    ours, theirs = ([(seq, each.get(seq)) for seq in seqs[:SHOWN]] for each in (ours, theirs))
                found.append(f"I9: {where}: the {name} by events are {ours}, in a snapshot {theirs}")
        return found


def _message(message: Frame) -> tuple[Any, ...]:
    return message["n"], message["by"], message["key"], message["body"]
