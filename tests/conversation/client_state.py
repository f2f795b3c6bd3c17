"""A client as docs/protocol.md describes.

A snapshot, updated by the events since. For this suite alone. It knows nothing of the server's
rules. Its state after the events must equal a fresh snapshot.
"""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
COUNTED = 100
SHOWN = 20


class ClientState:
    """The state of one user's client.

    `timelines`, `members` and `pins` exist for opened rooms.
    """

    def __init__(self, me: int, fetch: Callable[[int, int], Json | None]) -> None:
        self.me = me
        self.fetch = fetch
        self.status: Json = {"status": "online"}
        self.rooms: dict[int, Json] = {}
        self.timelines: dict[int, dict[int, Json]] = {}
        self.members: dict[int, dict[int, Json]] = {}
        self.pins: dict[int, dict[int, int]] = {}
        self.positions: dict[str, int] = {}

    # --- loading -----------------------------------------------------------------------------------------------------

    def process_welcome(self, rooms: dict[int, Json], status: Json, heads: dict[str, int], fresh: set[str]) -> None:
        """Process `welcome`: rooms as they are.

        Loaded parts of rooms in `fresh` are dropped.
        """
        self.rooms, self.status, self.positions = rooms, status, dict(heads)
        for loaded in (self.timelines, self.members, self.pins):
            for room in list(loaded):
                if room not in rooms or f"room:{room}" in fresh:
                    del loaded[room]

    def open_room(self, room: int, detail: Json) -> None:
        """Open a room: its details, all messages, members and pins, as of its head."""
        if room in self.rooms and detail["room"]["head"] >= self.rooms[room]["head"]:
            self.rooms[room] = detail["room"]
            self.timelines[room], self.members[room] = detail["messages"], detail["members"]
            self.pins[room] = detail["pins"]

    # --- events ------------------------------------------------------------------------------------------------------

    def process(self, event: Json) -> None:
        """Process an event of a followed topic, once and in order; ignore duplicates."""
        topic, seq = event["topic"], event["seq"]
        if topic.startswith("room:") and int(topic[5:]) not in self.rooms:
            return
        if seq <= self.positions.get(topic, 0):
            return
        assert seq == self.positions[topic] + 1, f"a gap: {self.positions[topic]} and then {event}"
        self.replay(event)
        self.positions[topic] = seq

    def replay(self, event: Json) -> None:
        """Apply an event to the state.

        In a room only if it is newer than the room's known head.
        """
        getattr(self, "_" + event["type"].replace(".", "_"))(event)
        room = self.rooms.get(event.get("room", 0)) if event["topic"].startswith("room:") else None
        if room is not None:
            room["head"] = max(room["head"], event["seq"])

    def catch_up(self, event: Json) -> None:
        """Process an event that `welcome` already covers.

        Only loaded parts of the room are behind.
        """
        kept, self.rooms = self.rooms, {room: dict(known) for room, known in self.rooms.items()}
        try:
            self.replay(event)
        finally:
            self.rooms = kept

    def _message_sent(self, event: Json) -> None:
        room = self.rooms[event["room"]]
        own = ("room", "seq", "n", "at", "by", "name", "key", "body", "reply_to", "forwarded", "mentions")
        message = {name: event[name] for name in own if event.get(name) is not None}
        if event["room"] in self.timelines:
            rest: Json = {"body": event.get("body"), "deleted": False, "pinned": False, "reactions": []}
            self.timelines[event["room"]][event["seq"]] = {**message, **rest}
        if event["by"] == self.me:
            room |= {"read_seq": event["seq"], "unread_count": 0, "mention_count": 0}
        else:
            room["unread_count"] += 1
            self._mentioned(event, event["seq"], None, event.get("mentions"))

    def _message_edited(self, event: Json) -> None:
        self._mentioned(event, event["message"], event.get("mentioned"), event.get("mentions"))
        message = self.timelines.get(event["room"], {}).get(event["message"])
        if message is None:
            return
        message["edited_at"] = event["at"]
        message.pop("mentions", None)
        if event.get("mentions") is not None:
            message["mentions"] = event["mentions"]
        if event.get("body") is not None:
            message["body"] = event["body"]
        elif "body" not in event and (found := self.fetch(event["room"], event["message"])) is not None:
            self.timelines[event["room"]][event["message"]] = found  # the event came without its text

    def _message_deleted(self, event: Json) -> None:
        self._mentioned(event, event["message"], event.get("mentioned"), None)
        room = self.rooms[event["room"]]
        if event["message"] > room["read_seq"] and event["author"] != self.me:
            room["unread_count"] -= 1
        self.pins.get(event["room"], {}).pop(event["message"], None)
        message = self.timelines.get(event["room"], {}).get(event["message"])
        if message is not None:
            for gone in ("mentions", "forwarded", "edited_at"):
                message.pop(gone, None)
            message |= {"body": None, "deleted": True, "pinned": False, "reactions": []}

    def _message_pinned(self, event: Json) -> None:
        self._pin(event, True)

    def _message_unpinned(self, event: Json) -> None:
        self._pin(event, False)

    def _pin(self, event: Json, pinned: bool) -> None:
        message = self.timelines.get(event["room"], {}).get(event["message"])
        if message is not None:
            message["pinned"] = pinned
        if event["room"] in self.pins and (message is not None or not pinned):
            self.pins[event["room"]].pop(event["message"], None)
            if pinned:
                self.pins[event["room"]][event["message"]] = event["by"]

    def _reaction_added(self, event: Json) -> None:
        message = self.timelines.get(event["room"], {}).get(event["message"])
        if message is None:
            return
        found = next((one for one in message["reactions"] if one["emoji"] == event["emoji"]), None)
        if found is None:
            found = {"emoji": event["emoji"], "count": 0, "mine": False, "users": []}
            message["reactions"].append(found)
        if event["by"] not in found["users"]:
            found["count"] += 1
            found["users"] = [*found["users"], event["by"]][:SHOWN]
            found["mine"] = found["mine"] or event["by"] == self.me

    def _reaction_removed(self, event: Json) -> None:
        message = self.timelines.get(event["room"], {}).get(event["message"])
        found = next((one for one in (message or {}).get("reactions", ()) if one["emoji"] == event["emoji"]), None)
        if message is None or found is None:
            return
        if event["by"] not in found["users"] and len(found["users"]) == found["count"]:
            return
        found["count"] -= 1
        found["users"] = [user for user in found["users"] if user != event["by"]]
        found["mine"] = found["mine"] and event["by"] != self.me
        if not found["count"]:
            message["reactions"].remove(found)
        if len(found["users"]) < min(found["count"], SHOWN):  # the event does not name the twentieth user
            fetched = self.fetch(event["room"], event["message"])
            if fetched is not None:
                self.timelines[event["room"]][event["message"]] = fetched

    def _mentioned(self, event: Json, seq: int, before: Json | None, after: Json | None) -> None:
        room = self.rooms[event["room"]]
        author = event["author"] if event["type"] == "message.deleted" else event["by"]
        if seq <= room["read_seq"] or seq <= room["floor"] or author == self.me:
            return
        change = self._mention_count(after) - self._mention_count(before)
        room["mention_count"] = min(room["mention_count"] + change, COUNTED)

    def _mention_count(self, mentions: Json | None) -> int:
        return int(mentions is not None and (mentions.get("room", False) or self.me in mentions.get("users", ())))

    def _member_joined(self, event: Json) -> None:
        self.rooms[event["room"]]["member_count"] += 1
        if event["room"] in self.members:
            self.members[event["room"]][event["user"]] = {"name": event["user_name"], "role": "member"}

    def _member_left(self, event: Json) -> None:
        self._member_gone(event)

    def _member_removed(self, event: Json) -> None:
        self._member_gone(event)

    def _member_banned(self, event: Json) -> None:
        if event["was_member"]:
            self._member_gone(event)

    def _member_unbanned(self, event: Json) -> None:
        pass

    def _member_gone(self, event: Json) -> None:
        self.rooms[event["room"]]["member_count"] -= 1
        self.members.get(event["room"], {}).pop(event["user"], None)

    def _member_role_changed(self, event: Json) -> None:
        if event["user"] == self.me:
            self.rooms[event["room"]]["role"] = event["role"]
        if event["user"] in self.members.get(event["room"], {}):
            self.members[event["room"]][event["user"]]["role"] = event["role"]

    def _room_created(self, event: Json) -> None:
        pass

    def _room_updated(self, event: Json) -> None:
        if "history" in event["changes"] and event["topic"] != "site":
            for loaded in (self.timelines, self.members, self.pins):
                loaded.pop(event["room"], None)  # the user can now see more of it, or less
        room = self.rooms.get(event["room"], {})  # rooms the user is not in have no state
        for name, value in event["changes"].items():
            if value == "" and name in ("topic", "description"):
                room.pop(name, None)
            else:
                room[name] = value

    def _room_archived(self, event: Json) -> None:
        if event["room"] in self.rooms:
            self.rooms[event["room"]]["archived"] = True

    def _room_restored(self, event: Json) -> None:
        if event["room"] in self.rooms:
            self.rooms[event["room"]]["archived"] = False

    def _room_added(self, event: Json) -> None:
        room = event["details"]
        self.rooms[event["room"]] = dict(room)
        self.positions[f"room:{event['room']}"] = room["head"]

    def _room_removed(self, event: Json) -> None:
        for loaded in (self.rooms, self.timelines, self.members, self.pins):
            loaded.pop(event["room"], None)
        self.positions.pop(f"room:{event['room']}", None)

    def _room_preferences_changed(self, event: Json) -> None:
        if event["room"] in self.rooms:
            self.rooms[event["room"]] |= {"favourite": event["favourite"], "muted": event["muted"]}

    def _room_read_moved(self, event: Json) -> None:
        if event["room"] in self.rooms:
            self.rooms[event["room"]] |= {name: event[name] for name in ("read_seq", "unread_count", "mention_count")}

    def _status_changed(self, event: Json) -> None:
        self.status = event["status"]
