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

    # --- permissions
    # ----------------------------------------------------------------------------------------------

    def _sees(self, who: str, room: Room) -> bool:
        return who in room.members or room.kind == "public"

    def _rank(self, who: str, room: Room) -> int | None:
        """Return the user's rank; None for a user who may not know the room's members."""
        if not self._sees(who, room) or (who not in room.members and who != STAFF):
            return None
        return 3 if who == STAFF else RANK[room.members[who].role]

    def _find(self, who: str, room: Room, seq: int, archived: bool = False) -> Message | str:
        """Return a message to change, or the error code."""
        if who not in room.members or (found := room.visible(who, seq)) is None:
            return "not_found"
        return "forbidden" if room.archived and not archived else found

    def _moderates(self, who: str, room: Room) -> bool:
        return (self._rank(who, room) or 0) >= 1

    # --- rooms ---------------------------------------------------------------------------------------------------

    def create(self, who: str, kind: str, name: str, others: list[str], history: str) -> str:
        people = list(dict.fromkeys([who, *others]))
        if kind == "direct" and self.direct(people) is not None:
            return "ok"
        if kind == "public" and any(room.kind == "public" and room.name == name for room in self.rooms):
            return "conflict"
        room = Room(kind, "" if kind == "direct" else name, history="all" if kind == "direct" else history)
        room.append_event()
        for place, member in enumerate(people):
            room.add(member, "owner" if place == 0 and kind != "direct" else "member")
        self.rooms.append(room)
        return "ok"

    def direct(self, people: list[str]) -> Room | None:
        """Return the direct room of these users. Members never leave one."""
        found = (room for room in self.rooms if room.kind == "direct" and set(room.members) == set(people))
        return next(found, None)

    def update(self, who: str, room: Room, topic: str | None, history: str | None) -> str:
        if not self._sees(who, room):
            return "not_found"
        if room.kind != "direct" and not self._moderates(who, room):
            return "forbidden"
        if room.kind != "direct" and history is not None and (self._rank(who, room) or 0) < 2:
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

    def archive(self, who: str, room: Room, archived: bool) -> str:
        if not self._sees(who, room):
            return "not_found"
        if room is self.rooms[LOBBY] or room.kind == "direct" or (self._rank(who, room) or 0) < 2:
            return "forbidden"
        if room.archived != archived:
            room.archived = archived
            room.append_event()
        return "ok"

    def change_settings(self, who: str, room: Room, favourite: bool, muted: bool) -> str:
        if who not in room.members:
            return "not_found"
        room.members[who].favourite, room.members[who].muted = favourite, muted
        return "ok"

    # --- members -------------------------------------------------------------------------------------------------

    def join(self, who: str, room: Room) -> str:
        if who in room.members:
            return "ok"
        if room.kind != "public":
            return "not_found"
        if who in room.banned or room.archived:
            return "forbidden"
        room.join(who)
        return "ok"

    def leave(self, who: str, room: Room) -> str:
        if who not in room.members:
            return "not_found"
        if room is self.rooms[LOBBY] or room.kind == "direct":
            return "forbidden"
        if room.members[who].role == "owner" and len(room.members) > 1:
            return "forbidden"
        if room.kind == "private" and len(room.members) == 1:  # the last member archives the room
            self.archive(who, room, True)
        self._remove(who, room)
        return "ok"

    def add_member(self, who: str, room: Room, whom: str) -> str:
        if self._rank(who, room) is None:
            return "not_found"
        if room.kind == "direct" or room.archived:
            return "forbidden"
        if whom in room.banned:
            return "conflict"
        if whom not in room.members:
            room.join(whom)
        return "ok"

    def remove(self, who: str, room: Room, whom: str) -> str:
        refusal = self._may_remove(who, room, whom)
        if refusal is None and whom not in room.members:
            return "not_found"
        if refusal is None:
            self._remove(whom, room)
        return refusal or "ok"

    def ban(self, who: str, room: Room, whom: str) -> str:
        refusal = self._may_remove(who, room, whom)
        if refusal is None and whom not in room.banned:
            room.banned.add(whom)
            if whom in room.members:
                self._remove(whom, room)
            else:
                room.append_event()
        return refusal or "ok"

    def unban(self, who: str, room: Room, whom: str) -> str:
        refusal = self._may_remove(who, room, whom, as_member=True)
        if refusal is None and whom in room.banned:
            room.banned.discard(whom)
            room.append_event()
        return refusal or "ok"

    def role(self, who: str, room: Room, whom: str, role: str) -> str:
        rank = self._rank(who, room)
        if rank is None:
            return "not_found"
        theirs = room.members[whom].role if whom in room.members else None
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
        room.members[whom].role = role
        room.append_event()
        return "ok"

    def _may_remove(self, who: str, room: Room, whom: str, as_member: bool = False) -> str | None:
        rank = self._rank(who, room)
        if rank is None:
            return "not_found"
        theirs = "member" if as_member or whom not in room.members else room.members[whom].role
        lobby = room is self.rooms[LOBBY]
        is_self = who == whom and not as_member
        if is_self or lobby or room.kind == "direct" or room.archived or rank <= RANK[theirs]:
            return "forbidden"
        return None

    def _remove(self, who: str, room: Room) -> None:
        was = room.members.pop(who)
        room.append_event()
        if was.role == "owner" and room.members:
            heirs = sorted(room.members.values(), key=lambda one: (one.role != "moderator", one.order))
            heirs[0].role = "owner"
            room.append_event()

    # --- messages ------------------------------------------------------------------------------------------------

    def send(self, who: str, room: Room, key: str, body: str, reply_to: int | None) -> str:
        if (known := room.keys.get((who, key))) is not None:
            return "ok" if known[0] == (body, reply_to) else "conflict"
        if who not in room.members:
            return "not_found"
        if room.archived:
            return "forbidden"
        if reply_to is not None and room.visible(who, reply_to) is None:
            return "not_found"
        self._say(
            room, Message(0, who, key, body, reply_to, mentioned=mentions_in(body, room.members)), (body, reply_to)
        )
        return "ok"

    def forward(self, who: str, room: Room, key: str, source: Room, seq: int) -> str:
        words = ("forward", id(source), seq)
        if (known := room.keys.get((who, key))) is not None:
            return "ok" if known[0] == words else "conflict"
        if who not in room.members:
            return "not_found"
        if room.archived:
            return "forbidden"
        found = source.visible(who, seq) if who in source.members else None
        if found is None:
            return "not_found"
        if found.body is None:
            return "conflict"
        self._say(room, Message(0, who, key, found.body, forwarded=found.forwarded or found.by), words)
        return "ok"

    def _say(self, room: Room, message: Message, words: object) -> None:
        message.n = len(room.messages) + 1
        seq = room.append_event()
        room.messages[seq] = message
        room.keys[message.by, message.key] = (words, seq)
        room.members[message.by].read = seq

    def edit(self, who: str, room: Room, seq: int, body: str) -> str:
        found = self._find(who, room, seq)
        if isinstance(found, str):
            return found
        if found.by != who or found.forwarded is not None:
            # A deleted message no longer tells that it was forwarded.
            return "forbidden"
        if found.body is None:
            return "conflict"
        if found.body != body:
            found.body, found.edited, found.mentioned = body, True, mentions_in(body, room.members)
            room.append_event()
        return "ok"

    def delete(self, who: str, room: Room, seq: int) -> str:
        found = self._find(who, room, seq, archived=True)
        if isinstance(found, str):
            return found
        if found.by != who and (room.kind == "direct" or not self._moderates(who, room)):
            return "forbidden"
        if found.body is not None:
            found.body, found.edited, found.forwarded, found.pinned_by = None, False, None, None
            found.reactions, found.mentioned = {}, frozenset()
            room.append_event()
        return "ok"

    def pin(self, who: str, room: Room, seq: int, pinned: bool) -> str:
        found = self._find(who, room, seq)
        if isinstance(found, str):
            return found
        if room.kind != "direct" and not self._moderates(who, room):
            return "forbidden"
        if found.body is None and pinned:
            return "conflict"
        if (found.pinned_by is not None) != pinned:
            found.pinned_by = who if pinned else None
            room.append_event()
        return "ok"

    def react(self, who: str, room: Room, seq: int, emoji: str, there: bool) -> str:
        found = self._find(who, room, seq)
        if isinstance(found, str):
            return found
        if found.body is None:
            return "conflict" if there else "ok"
        by = found.reactions.get(emoji, [])
        if (who in by) != there:
            after = [*by, who] if there else [one for one in by if one != who]
            if after:
                found.reactions[emoji] = after
            else:
                del found.reactions[emoji]
            room.append_event()
        return "ok"

    # --- reading -------------------------------------------------------------------------------------------------

    def read(self, who: str, room: Room, seq: int) -> str:
        if who not in room.members:
            return "not_found"
        if seq > room.head:
            return "bad_request"
        room.members[who].read = max(room.members[who].read, seq)
        return "ok"

    def unread(self, who: str, room: Room, seq: int) -> str:
        if who not in room.members or room.visible(who, seq) is None:
            return "not_found"
        room.members[who].read = min(room.members[who].read, seq - 1)
        return "ok"
