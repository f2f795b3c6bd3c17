"""The parts of the model: rooms with their members and messages."""

from dataclasses import dataclass, field


@dataclass
class Member:
    role: str
    joined: int
    read: int
    order: int
    favourite: bool = False
    muted: bool = False


@dataclass
class Message:
    """A message."""

    n: int
    by: str
    key: str
    body: str | None
    reply_to: int | None = None
    forwarded: str | None = None
    edited: bool = False
    pinned_by: str | None = None
    mentioned: frozenset[str] = frozenset()
    reactions: dict[str, list[str]] = field(default_factory=dict)

    def mentions_user(self, actor: str) -> bool:
        return self.body is not None and actor != self.by and bool(self.mentioned & {actor, "room"})


@dataclass
class Room:
    kind: str
    name: str = ""
    topic: str = ""
    history: str = "all"
    archived: bool = False
    head: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    banned: set[str] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[object, int]] = field(default_factory=dict)
    join_count: int = 0

    def append_event(self) -> int:
        self.head += 1
        return self.head

    def add(self, actor: str, role: str = "member") -> None:
        before = self.head
        self.join_count += 1
        self.members[actor] = Member(role, self.append_event(), before, self.join_count)

    def join(self, actor: str) -> None:
        """Add a member; in a room without an owner the new member becomes its owner."""
        self.add(actor)
        if all(member.role != "owner" for member in self.members.values()):
            self.members[actor].role = "owner"
            self.append_event()

    def visible(self, actor: str, seq: int) -> Message | None:
        own = self.members[actor]
        return None if self.history == "joined" and seq < own.joined else self.messages.get(seq)

    def unread(self, actor: str) -> int:
        """Return how many messages of others follow the read position, without deleted ones."""
        read = self.members[actor].read
        return sum(seq > read and one.by != actor and one.body is not None for seq, one in self.messages.items())

    def mentions(self, actor: str) -> int:
        own = self.members[actor]
        return sum(
            one.mentions_user(actor) for seq, one in self.messages.items() if seq > own.read and seq >= own.joined
        )
