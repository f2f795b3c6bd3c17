"""Rooms, and a room as one user sees it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Executable,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from hubbub.domain.model import LOBBY, Person, Room, RoomRole, room_topic
from hubbub.domain.names import search_key, skeleton
from hubbub.domain.text import MAX_ROOMS, MENTIONS_COUNTED, timestamp
from hubbub.storage import mentions, names
from hubbub.storage import rows as encoding
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, Rows
from hubbub.storage.schema import members, rooms, topics, users
from hubbub.storage.transaction import Transaction

Roles = Mapping[int, RoomRole]
"""The members of a room and their roles, in the order in which they joined."""


class NewRoomRow(NamedTuple):
    """The values of a new room. `people` is set for direct rooms only."""

    kind: str
    name: str
    created_by: int
    topic: str = ""
    description: str = ""
    history: str = "all"
    people: str | None = None


def create(tx: Transaction, new: NewRoomRow, roles: Roles) -> int:
    """Create a room, its members and its topic; return its id (below 2^53).

    The members join one after the other from the topic's second entry on; append `member.joined`
    for each.
    """
    room = tx.ids.next_public()
    unique = skeleton(new.name) if new.kind == "public" else None
    values = {"id": room, **new._asdict(), "skeleton": unique, "created_at": tx.now, "members": len(roles)}
    values["search_key"] = search_key(new.name)
    tx.execute(insert(rooms).values(**values))
    common = {"room": room, "joined_at": tx.now, "read_n": 0}
    memberships = [
        {**common, "user": user, "role": role.value, "joined_seq": seq, "read_seq": seq - 1}
        for seq, (user, role) in enumerate(roles.items(), 2)
    ]
    tx.execute(insert(members), memberships)
    tx.create_topic(room_topic(room))
    return room


def change(tx: Transaction, room: int, values: Mapping[str, object], *, public: bool) -> None:
    """Set columns of a room."""
    name = values.get("name")
    derived = {} if name is None else {"search_key": search_key(str(name))}
    if public and name is not None:
        derived["skeleton"] = skeleton(str(name))
    tx.execute(update(rooms).where(rooms.c.id == room).values(**values, **derived))


def set_preferences(tx: Transaction, room: int, user: int, *, favourite: bool, muted: bool) -> None:
    """Set a member's preferences for a room."""
    own = (members.c.room == room, members.c.user == user)
    tx.execute(update(members).where(*own).values(favourite=favourite, muted=muted))


def name_taken(connection: Connection, name: str, *, besides: int = 0) -> bool:
    """Return whether another public room has this name or one that looks like it.

    `besides` is the id of the room that does not count.
    """
    query = select(rooms.c.id).where(rooms.c.skeleton == skeleton(name), rooms.c.id != besides)
    return connection.scalar(query) is not None


def direct_key(people: Iterable[int]) -> str:
    """Return the key of a direct room: its members' ids, sorted and joined."""
    return ",".join(map(str, sorted(people)))


def direct(connection: Connection, people: str) -> int | None:
    """Return the direct room with this `direct_key`, None if there is none."""
    found: int | None = connection.scalar(select(rooms.c.id).where(rooms.c.people == people))
    return found


def users_at_room_limit(connection: Connection, people: Collection[int]) -> set[int]:
    """Return those of `people` who are in the maximum number of rooms.

    Direct rooms do not count, since other users create them.
    """
    query = select(members.c.user).join(rooms, rooms.c.id == members.c.room).group_by(members.c.user)
    query = query.where(members.c.user.in_(people), rooms.c.kind != "direct")
    return set(connection.scalars(query.having(func.count() >= MAX_ROOMS)))


def direct_made(connection: Connection, user: int, others: Collection[int]) -> tuple[int, int]:
    """Count the direct rooms that the user has created.

    Returns their number, and the highest number that includes the same one of `others`. The creator
    of a direct room never leaves it.
    """
    theirs = members.alias("theirs")
    query = (
        select(theirs.c.user, func.count())
        .join_from(members, rooms, rooms.c.id == members.c.room)
        .join(theirs, theirs.c.room == members.c.room)
        .where(members.c.user == user, rooms.c.kind == "direct", rooms.c.created_by == user)
        .where(theirs.c.user.in_([user, *others]))
        .group_by(theirs.c.user)
    )
    counts = {row[0]: row[1] for row in connection.execute(query)}
    return counts.pop(user, 0), max(counts.values(), default=0)


def find_visible(connection: Connection, user: int, room: int) -> Room | None:
    """Return the room as the user sees it.

    Returns None if the room does not exist or is hidden from the user.
    """
    found = connection.execute(_seen_by(user).where(rooms.c.id == room)).all()
    return next(iter(models(connection, found)), None)


def before_join(tx: Transaction, seen: Room) -> Room:
    """Return the room as a new member sees it before `member.joined` is appended.

    The read position is the head. A connection that follows the room from there receives
    `member.joined` of its own user, and then counts the new member. So `member_count` does not include
    them yet.
    """
    head = tx.head(room_topic(seen.id)).seq
    before = {"head": head, "floor": head, "read_seq": head, "unread_count": 0, "member_count": seen.member_count - 1}
    return seen.model_copy(update=before)


def current(tx: Transaction, user: int, room: int) -> Room:
    """Return the room as a member sees it now.

    This includes what the transaction has not written yet. Holds the topic.
    """
    head = tx.head(room_topic(room))
    row = tx.connection.execute(_seen_by(user).where(rooms.c.id == room)).one()
    (seen,) = models(tx.connection, [row])
    return seen.model_copy(update={"head": head.seq, "unread_count": head.n - row.read_n})


def joined(connection: Connection, user: int) -> list[Room]:
    """Return the user's rooms, the lobby first.

    Takes one query, and one for the members of direct rooms, however long the history is.
    """
    return models(connection, JOINED.rows(connection, user=user))


def directory(connection: Connection, user: int, after: int, limit: int, *, archived: bool = True) -> list[Room]:
    """Return a page of the rooms that the user may see, the lobby first.

    The user need not be a member. Without `archived`, archived rooms are left out.
    """
    query = _seen_by(user).where(rooms.c.id > after).order_by(rooms.c.id).limit(limit)
    if not archived:
        query = query.where(rooms.c.archived.is_(False))
    return models(connection, connection.execute(query).all())


def search(connection: Connection, user: int, text: str, limit: int, *, archived: bool = True) -> list[Room]:
    """Return the rooms that the user may see by any part of their names, the best first.

    Without direct rooms, which have no name. Without `archived`, archived rooms are left out.
    """
    own = and_(members.c.room == rooms.c.id, members.c.user == literal(user, BigInteger))
    visible = or_(rooms.c.kind == "public", members.c.user.is_not(None))
    query = select(rooms.c.id).outerjoin(members, own).where(rooms.c.kind != "direct", visible)
    if not archived:
        query = query.where(rooms.c.archived.is_(False))
    order = {row.id: at for at, row in enumerate(names.find(connection, query, rooms.c.search_key, text, limit))}
    found = models(connection, connection.execute(_seen_by(user).where(rooms.c.id.in_(order))).all())
    return sorted(found, key=lambda room: order[room.id])


def models(connection: Connection, found: Sequence[Sequence[Any]]) -> list[Room]:
    """Return the rooms of rows with the columns `_COLUMNS`."""
    wanted = {int(user) for row in found if row[PEOPLE_AT] for user in row[PEOPLE_AT].split(",")}
    names = _names(connection, wanted) if wanted else {}
    return [_model(row, names) for row in found]


def _model(row: Sequence[Any], names: Mapping[int, str]) -> Room:
    id_, kind, name, topic, description, history, archived, people, created_by, created_at, count, *own = row
    role, favourite, muted, joined_seq, read_seq, read_n, head, floor, n, called = own
    common = {
        "id": id_, "kind": kind, "name": name, "topic": topic or None, "description": description or None,
        "history": history, "archived": bool(archived), "lobby": id_ == LOBBY, "created_by": created_by,
        "created_at": timestamp(created_at), "member_count": count, "joined": role is not None,
    }  # fmt: skip
    if people:
        ids = [int(user) for user in people.split(",")]
        common["members"] = [Person(id=user, name=names[user]) for user in ids if user in names]
    if role is not None:
        common |= {
            "head": head, "floor": max(floor, joined_seq - 1), "read_seq": read_seq, "unread_count": n - read_n,
            "mention_count": min(called, MENTIONS_COUNTED), "role": RoomRole(role), "favourite": bool(favourite),
            "muted": bool(muted),
        }  # fmt: skip
    return Room.model_validate(common)


def _names(connection: Connection, wanted: Iterable[int]) -> dict[int, str]:
    found = NAMES.rows(connection, rows=encoding.encode([(user,) for user in sorted(wanted)]))
    return {user: name for user, name in found}  # noqa: C416  the type checker needs to see pairs


_OF_ROOMS = (
    rooms.c.id, rooms.c.kind, rooms.c.name, rooms.c.topic, rooms.c.description, rooms.c.history, rooms.c.archived,
    rooms.c.people, rooms.c.created_by, rooms.c.created_at, rooms.c.members,
)  # fmt: skip
_COLUMNS = (
    *_OF_ROOMS,
    members.c.role, members.c.favourite, members.c.muted, members.c.joined_seq, members.c.read_seq, members.c.read_n,
    topics.c.head, topics.c.floor, topics.c.n, mentions.counted(members),
)  # fmt: skip
PEOPLE_AT = [column.name for column in _OF_ROOMS].index("people")
_TOPIC = topics.c.topic == literal("room:", Text).concat(cast(rooms.c.id, Text))


def _seen_by(user: int) -> Select[Any]:
    own = and_(members.c.room == rooms.c.id, members.c.user == literal(user, BigInteger))
    return (
        select(*_COLUMNS)
        .select_from(rooms)
        .outerjoin(members, own)
        .join(topics, _TOPIC)
        .where(or_(rooms.c.kind == "public", members.c.user.is_not(None)))
    )


def _joined() -> Select[Any]:
    """Select the user's rooms from their memberships on.

    The total number of rooms does not matter.
    """
    return (
        select(*_COLUMNS)
        .select_from(members)
        .join(rooms, rooms.c.id == members.c.room)
        .join(topics, _TOPIC)
        .where(members.c.user == bindparam("user", type_=BigInteger))
        .order_by(rooms.c.id)
    )


def _names_of(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"id": BIG})
    return select(users.c.id, users.c.name).where(users.c.id.in_(select(wanted["id"]).select_from(wanted.source)))


JOINED = Statement(lambda _: _joined())
NAMES = Statement(_names_of)
