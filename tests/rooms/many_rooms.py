"""A database with many rooms, filled directly: members, messages, unread counts."""

from dataclasses import dataclass

from sqlalchemy import Connection, case, create_engine, insert, select, text, update
from sqlalchemy.pool import NullPool

from hubbub.storage.schema import members, mentions, messages, participants, rooms, topics, users

NOW = 1_790_000_000_000
ROOMS = range(1_000, 1_499)
"""With the lobby five hundred; the ids are below all ids that a server creates."""
CROWD = range(10_000, 11_000)
"""The other users."""
CROWDED = range(1_000, 1_005)
"""Rooms that all users are members of."""
CALLS = 150
"""Messages in each room other than LOUD ones and the LARGE one.

All of them mention @room.
"""
LOUD = range(1_005, 1_055)
"""Rooms in which OWN messages mention the one user."""
OWN = 30
LARGE = ROOMS[-1]
"""The room with a long history."""


@dataclass(frozen=True)
class ManyRooms:
    """Many rooms; `messages` is the length of the history of the one large room."""

    messages: int = 20_000

    def fill(self, address: str, user: int) -> None:
        engine = create_engine(address, poolclass=NullPool)
        with engine.begin() as connection:
            self._people(connection, user)
            self._rooms(connection, user)
            self._history(connection)
            self._mentions(connection, user)
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))  # Autovacuum would do that a minute later.

    def said(self, room: int) -> int:
        """Return how many messages a room has; all members joined before them."""
        return self.messages if room == LARGE else OWN if room in LOUD else CALLS

    def _people(self, connection: Connection, user: int) -> None:
        common = {"role": "member", "disabled": False, "created_at": NOW}
        crowd = [{"id": id_, "name": f"crowd{id_}", "skeleton": f"crowd{id_}", **common} for id_ in CROWD]
        connection.execute(insert(users), crowd)

    def _rooms(self, connection: Connection, user: int) -> None:
        common = {"created_at": NOW, "topic": "What this room is about, in a line", "description": "", "history": "all"}
        made, places, logs, taking_part = [], [], [], []
        for room in ROOMS:
            kind = "public" if room in CROWDED else ("public", "private", "direct")[room % 3]
            there = [user, *(CROWD if room in CROWDED else CROWD[room - 999 : room - 998 + room % 9])]
            made.append({
                **common, "id": room, "kind": kind, "name": "" if kind == "direct" else f"Room {room}",
                "skeleton": f"room {room}" if kind == "public" else None, "created_by": CROWD[0],
                "members": len(there), "archived": room % 50 == 0,
                "direct_key": f"key {room}" if kind == "direct" else None,
            })  # fmt: skip
            taking_part += [{"room": room, "user": who} for who in there if kind == "direct"]
            common_place = {"role": "member", "joined_seq": 1, "joined_at": NOW, "read_seq": 1, "read_n": 0}
            places += [{"room": room, "user": who, **common_place} for who in there]
            n = self.said(room)
            logs.append({"topic": f"room:{room}", "head": n + 1, "floor": 0, "n": n})
        connection.execute(insert(rooms), made)
        connection.execute(insert(members), places)
        connection.execute(insert(participants), taking_part)
        connection.execute(insert(topics), logs)
        half = update(members).where(members.c.user == user, members.c.room % 2 == 0)
        connection.execute(half.values(read_seq=2, read_n=1))

    def _history(self, connection: Connection) -> None:
        given = [{"room": room, "count": self.said(room), "author": CROWD[0], "at": NOW} for room in ROOMS]
        connection.execute(
            text(
                "INSERT INTO messages (room, seq, n, at, id, author, key, digest, body)"
                " WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < :count)"
                " SELECT :room, x + 1, x, :at, 0, :author, 'k' || x, 0,"
                " 'Something that was said' FROM c"
            ),
            given,
        )

    def _mentions(self, connection: Connection, user: int) -> None:
        mentioned = case((messages.c.room.in_(LOUD), user), else_=0)
        found = select(mentioned, messages.c.room, messages.c.seq, messages.c.author)
        connection.execute(insert(mentions).from_select(["user", "room", "seq", "author"], found))
