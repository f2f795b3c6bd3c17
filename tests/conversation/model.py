"""The model: the conversation and the answer after each command, without SQL.

Every method returns its outcome: "ok" or an error code. Written from docs/protocol.md, not from the
server's rules.
"""

from typing import Any

from tests.conversation.entities import Message, Room
from tests.conversation.sample_data import LOBBY, NAMES, STAFF, mentions_in

RANK = {"member": 0, "moderator": 1, "owner": 2}
Json = dict[str, Any]


class Model:
    """Rooms by their index here, the lobby first."""

    def __init__(self) -> None:
        self.rooms: list[Room] = [Room("public", "Lobby")]
        self.statuses: dict[str, Json] = {name: {"status": "online"} for name in NAMES}

    # --- permissions -------------------------------------------------------------------------------------------------

    def _sees(self, actor: str, room: Room) -> bool:
        return actor in room.members or room.kind == "public"

    def _rank(self, actor: str, room: Room) -> int | None:
        """Return the user's rank; None for a user who may not know the room's members."""
        if not self._sees(actor, room) or (actor not in room.members and actor != STAFF):
            return None
        return 3 if actor == STAFF else RANK[room.members[actor].role]

    def _find(self, actor: str, room: Room, seq: int, archived: bool = False) -> Message | str:
        """Return a message to change, or the error code."""
        if actor not in room.members or (found := room.visible(actor, seq)) is None:
            return "not_found"
        return "forbidden" if room.archived and not archived else found

    def _moderates(self, actor: str, room: Room) -> bool:
        return (self._rank(actor, room) or 0) >= 1

    # --- rooms -------------------------------------------------------------------------------------------------------

    def create(self, actor: str, kind: str, name: str, others: list[str], history: str) -> str:
        people = list(dict.fromkeys([actor, *others]))
        if kind == "direct" and self.direct(people) is not None:
            return "ok"
        if kind == "public" and any(room.kind == "public" and room.name == name for room in self.rooms):
            return "conflict"
        room = Room(kind, "" if kind == "direct" else name, history="all" if kind == "direct" else history)
        room.append_event()
        for index, member in enumerate(people):
            room.add(member, "owner" if index == 0 and kind != "direct" else "member")
        self.rooms.append(room)
        return "ok"

    def direct(self, people: list[str]) -> Room | None:
        """Return the direct room of these users. Members never leave one."""
        found = (room for room in self.rooms if room.kind == "direct" and set(room.members) == set(people))
        return next(found, None)

    def update(self, actor: str, room: Room, topic: str | None, history: str | None) -> str:
        if not self._sees(actor, room):
            return "not_found"
        if room.kind != "direct" and not self._moderates(actor, room):
            return "forbidden"
        if room.kind != "direct" and history is not None and (self._rank(actor, room) or 0) < 2:
            return "forbidden"
        if room.archived:
            return "forbidden"
        if room.kind == "direct" and history is not None:
            return "bad_request"
        before = (room.topic, room.history)
        room.topic, room.history = topic or room.topic, history or room.history
        if before != (room.topic, room.history):
            room.append_event()
        return "ok"

    def archive(self, actor: str, room: Room, archived: bool) -> str:
        if not self._sees(actor, room):
            return "not_found"
        if room is self.rooms[LOBBY] or room.kind == "direct" or (self._rank(actor, room) or 0) < 2:
            return "forbidden"
        if room.archived != archived:
            room.archived = archived
            room.append_event()
        return "ok"

    def change_settings(self, actor: str, room: Room, favourite: bool, muted: bool) -> str:
        if actor not in room.members:
            return "not_found"
        room.members[actor].favourite, room.members[actor].muted = favourite, muted
        return "ok"

    # --- members -----------------------------------------------------------------------------------------------------

    def join(self, actor: str, room: Room) -> str:
        if actor in room.members:
            return "ok"
        if room.kind != "public":
            return "not_found"
        if actor in room.banned or room.archived:
            return "forbidden"
        room.join(actor)
        return "ok"

    def leave(self, actor: str, room: Room) -> str:
        if actor not in room.members:
            return "not_found"
        if room is self.rooms[LOBBY] or room.kind == "direct":
            return "forbidden"
        if room.members[actor].role == "owner" and len(room.members) > 1:
            return "forbidden"
        if room.kind == "private" and len(room.members) == 1:  # the last member archives the room
            self.archive(actor, room, True)
        self._remove(actor, room)
        return "ok"

    def add_member(self, actor: str, room: Room, target: str) -> str:
        if self._rank(actor, room) is None:
            return "not_found"
        if room.kind == "direct" or room.archived:
            return "forbidden"
        if target in room.banned:
            return "conflict"
        if target not in room.members:
            room.join(target)
        return "ok"

    def remove(self, actor: str, room: Room, target: str) -> str:
        refusal = self._may_remove(actor, room, target)
        if refusal is None and target not in room.members:
            return "not_found"
        if refusal is None:
            self._remove(target, room)
        return refusal or "ok"

    def ban(self, actor: str, room: Room, target: str) -> str:
        refusal = self._may_remove(actor, room, target)
        if refusal is None and target not in room.banned:
            room.banned.add(target)
            if target in room.members:
                self._remove(target, room)
            else:
                room.append_event()
        return refusal or "ok"

    def unban(self, actor: str, room: Room, target: str) -> str:
        refusal = self._may_remove(actor, room, target, as_member=True)
        if refusal is None and target in room.banned:
            room.banned.discard(target)
            room.append_event()
        return refusal or "ok"

    def role(self, actor: str, room: Room, target: str, role: str) -> str:
        rank = self._rank(actor, room)
        if rank is None:
            return "not_found"
        theirs = room.members[target].role if target in room.members else None
        if theirs == role:
            return "ok"
        closed = room is self.rooms[LOBBY] if role == "owner" else room.archived
        if rank < 2 or room.kind == "direct" or theirs == "owner" or closed:
            return "forbidden"
        if theirs is None:
            return "not_found"
        for other in room.members.values() if role == "owner" else ():
            if other.role == "owner":
                other.role = "moderator"
                room.append_event()
        room.members[target].role = role
        room.append_event()
        return "ok"

    def _may_remove(self, actor: str, room: Room, target: str, as_member: bool = False) -> str | None:
        rank = self._rank(actor, room)
        if rank is None:
            return "not_found"
        theirs = "member" if as_member or target not in room.members else room.members[target].role
        lobby = room is self.rooms[LOBBY]
        is_self = actor == target and not as_member
        if is_self or lobby or room.kind == "direct" or room.archived or rank <= RANK[theirs]:
            return "forbidden"
        return None

    def _remove(self, actor: str, room: Room) -> None:
        was = room.members.pop(actor)
        room.append_event()
        if was.role == "owner" and room.members:
            heirs = sorted(room.members.values(), key=lambda one: (one.role != "moderator", one.order))
            heirs[0].role = "owner"
            room.append_event()

    # --- messages ----------------------------------------------------------------------------------------------------

    def send(self, actor: str, room: Room, key: str, body: str, reply_to: int | None) -> str:
        if (known := room.keys.get((actor, key))) is not None:
            return "ok" if known[0] == (body, reply_to) else "conflict"
        if actor not in room.members:
            return "not_found"
        if room.archived:
            return "forbidden"
        if reply_to is not None and room.visible(actor, reply_to) is None:
            return "not_found"
        mentioned = mentions_in(body, room.members) | self._answered(actor, room, reply_to)
        self._say(room, Message(0, actor, key, body, reply_to, mentioned=mentioned), (body, reply_to))
        return "ok"

    def _answered(self, actor: str, room: Room, reply_to: int | None) -> frozenset[str]:
        """Return the author whom a reply mentions."""
        return (
            frozenset() if reply_to is None else frozenset({room.messages[reply_to].by} & room.members.keys() - {actor})
        )

    def forward(self, actor: str, room: Room, key: str, source: Room, seq: int) -> str:
        words = ("forward", id(source), seq)
        if (known := room.keys.get((actor, key))) is not None:
            return "ok" if known[0] == words else "conflict"
        if actor not in room.members:
            return "not_found"
        if room.archived:
            return "forbidden"
        found = source.visible(actor, seq) if actor in source.members else None
        if found is None:
            return "not_found"
        if found.body is None:
            return "conflict"
        self._say(room, Message(0, actor, key, found.body, forwarded=found.forwarded or found.by), words)
        return "ok"

    def _say(self, room: Room, message: Message, words: object) -> None:
        message.n = len(room.messages) + 1
        seq = room.append_event()
        room.messages[seq] = message
        room.keys[message.by, message.key] = (words, seq)
        room.members[message.by].read = seq

    def edit(self, actor: str, room: Room, seq: int, body: str) -> str:
        found = self._find(actor, room, seq)
        if isinstance(found, str):
            return found
        if found.by != actor or found.forwarded is not None:
            # A deleted message no longer tells that it was forwarded.
            return "forbidden"
        if found.body is None:
            return "conflict"
        if found.body != body:
            answered = self._answered(actor, room, found.reply_to) & found.mentioned
            found.body, found.edited, found.mentioned = body, True, mentions_in(body, room.members) | answered
            room.append_event()
        return "ok"

    def delete(self, actor: str, room: Room, seq: int) -> str:
        found = self._find(actor, room, seq, archived=True)
        if isinstance(found, str):
            return found
        if found.by != actor and (room.kind == "direct" or not self._moderates(actor, room)):
            return "forbidden"
        if found.body is not None:
            found.body, found.edited, found.forwarded, found.pinned_by = None, False, None, None
            found.reactions, found.mentioned = {}, frozenset()
            room.append_event()
        return "ok"

    def pin(self, actor: str, room: Room, seq: int, pinned: bool) -> str:
        found = self._find(actor, room, seq)
        if isinstance(found, str):
            return found
        if room.kind != "direct" and not self._moderates(actor, room):
            return "forbidden"
        if found.body is None and pinned:
            return "conflict"
        if (found.pinned_by is not None) != pinned:
            found.pinned_by = actor if pinned else None
            room.append_event()
        return "ok"

    def react(self, actor: str, room: Room, seq: int, emoji: str, there: bool) -> str:
        found = self._find(actor, room, seq)
        if isinstance(found, str):
            return found
        if found.body is None:
            return "conflict" if there else "ok"
        by = found.reactions.get(emoji, [])
        if (actor in by) != there:
            after = [*by, actor] if there else [one for one in by if one != actor]
            if after:
                found.reactions[emoji] = after
            else:
                del found.reactions[emoji]
            room.append_event()
        return "ok"

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, actor: str, room: Room, seq: int) -> str:
        if actor not in room.members:
            return "not_found"
        if seq > room.head:
            return "bad_request"
        room.members[actor].read = max(room.members[actor].read, seq)
        return "ok"

    def unread(self, actor: str, room: Room, seq: int) -> str:
        if actor not in room.members or room.visible(actor, seq) is None:
            return "not_found"
        room.members[actor].read = min(room.members[actor].read, seq - 1)
        return "ok"
