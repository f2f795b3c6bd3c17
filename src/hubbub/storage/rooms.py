"""Rooms, and a room as one user sees it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
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
from hubbub.storage.schema import members, participants, rooms, topics, users
from hubbub.storage.transaction import Transaction

Roles = Mapping[int, RoomRole]
"""The members of a room and their roles, in the order in which they joined."""


class NewRoomRow(NamedTuple):
    """The values of a new room. `direct_key` is set for direct rooms only."""

    kind: str
    name: str
    created_by: int
    topic: str = ""
    description: str = ""
    history: str = "all"
    direct_key: str | None = None


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
    if new.direct_key is not None:
        tx.execute(insert(participants), [{"room": room, "user": user} for user in roles])
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


def by_name(connection: Connection, name: str) -> list[tuple[int, str]]:
    """Return id and name of the rooms with this name, in any spelling. Private rooms may share one."""
    named = or_(rooms.c.name == name, rooms.c.skeleton == skeleton(name))
    found = connection.execute(select(rooms.c.id, rooms.c.name).where(named).order_by(rooms.c.id))
    return [(row.id, row.name) for row in found]


def direct_key(people: Iterable[int]) -> str:
    """Return the key of a direct room: a digest of the ids of its participants."""
    return sha256(",".join(map(str, sorted(people))).encode()).hexdigest()


def direct(connection: Connection, key: str) -> int | None:
    """Return the direct room with this `direct_key`, None if there is none."""
    found: int | None = connection.scalar(select(rooms.c.id).where(rooms.c.direct_key == key))
    return found


def users_at_room_limit(connection: Connection, people: Collection[int]) -> set[int]:
    """Return those of `people` who are in the maximum number of rooms.

    Direct rooms do not count, since other users create them.
    """
    query = select(members.c.user).join(rooms, rooms.c.id == members.c.room).group_by(members.c.user)
    query = query.join(users, users.c.id == members.c.user)
    query = query.where(members.c.user.in_(people), rooms.c.kind != "direct", users.c.bot.is_(False))
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


def find(connection: Connection, user: int, room: int) -> Room | None:
    """Return a room with the user's membership if there is one, for the system, which sees every room."""
    found = connection.execute(_with_own(user).where(rooms.c.id == room)).all()
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
    people = participants_of(connection, [row[0] for row in found if row[1] == "direct"])
    return [_model(row, people.get(row[0])) for row in found]


def participants_of(connection: Connection, direct_rooms: Collection[int]) -> dict[int, list[Person]]:
    """Return the users of direct rooms by id, those with deleted accounts included.

    One statement, or none.
    """
    found: dict[int, list[Person]] = {room: [] for room in direct_rooms}
    if found:
        wanted = encoding.encode([(room,) for room in sorted(found)])
        for room, user, name in PARTICIPANTS.rows(connection, rows=wanted):
            found[room].append(Person(id=user, name=name))
    return found


def _model(row: Sequence[Any], people: list[Person] | None) -> Room:
    id_, kind, name, topic, description, history, archived, created_by, created_at, count, *own = row
    role, favourite, muted, joined_seq, read_seq, read_n, head, floor, n, called = own
    common = {
        "id": id_, "kind": kind, "name": name, "topic": topic or None, "description": description or None,
        "history": history, "archived": bool(archived), "lobby": id_ == LOBBY, "created_by": created_by,
        "created_at": timestamp(created_at), "member_count": count, "joined": role is not None,
    }  # fmt: skip
    if people is not None:
        common["members"] = people
    if role is not None:
        common |= {
            "head": head, "floor": max(floor, joined_seq - 1), "read_seq": read_seq, "unread_count": n - read_n,
            "mention_count": min(called, MENTIONS_COUNTED), "role": RoomRole(role), "favourite": bool(favourite),
            "muted": bool(muted),
        }  # fmt: skip
    return Room.model_validate(common)


_OF_ROOMS = (
    rooms.c.id, rooms.c.kind, rooms.c.name, rooms.c.topic, rooms.c.description, rooms.c.history, rooms.c.archived,
    rooms.c.created_by, rooms.c.created_at, rooms.c.members,
)  # fmt: skip
_COLUMNS = (
    *_OF_ROOMS,
    members.c.role, members.c.favourite, members.c.muted, members.c.joined_seq, members.c.read_seq, members.c.read_n,
    topics.c.head, topics.c.floor, topics.c.n, mentions.counted(members),
)  # fmt: skip
_TOPIC = topics.c.topic == literal("room:", Text).concat(cast(rooms.c.id, Text))


def _seen_by(user: int) -> Select[Any]:
    return _with_own(user).where(or_(rooms.c.kind == "public", members.c.user.is_not(None)))


def _with_own(user: int) -> Select[Any]:
    own = and_(members.c.room == rooms.c.id, members.c.user == literal(user, BigInteger))
    return select(*_COLUMNS).select_from(rooms).outerjoin(members, own).join(topics, _TOPIC)


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


def _participants(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG})
    return (
        select(participants.c.room, participants.c.user, users.c.name)
        .join_from(participants, users, users.c.id == participants.c.user)
        .where(participants.c.room.in_(select(given["room"]).select_from(given.source)))
        .order_by(participants.c.room, participants.c.user)
    )


JOINED = Statement(lambda _: _joined())
PARTICIPANTS = Statement(_participants)
