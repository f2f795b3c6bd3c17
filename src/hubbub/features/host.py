"""What the host application reads of its users, its rooms and the log. It may read everything."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from hubbub.domain.errors import NotFound
from hubbub.domain.model import Room
from hubbub.storage import accounts, host_rooms, identities, log, members, reads, rooms
from hubbub.storage.accounts import Account
from hubbub.storage.log import LogPage
from hubbub.storage.reads import UnreadCount

UserKey = int | tuple[str, str]
"""An account's id, or an issuer and a subject."""
RoomKey = int | str
"""A room's id, or the host application's own key."""
NO_USER = "There is no such user."
NO_ROOM = "There is no such room."
SUBJECTS = 500
"""Identities that are looked up in one statement."""


class FoundUser(NamedTuple):
    """An account, and its issuer and subject if the host application knows it by these."""

    account: Account
    identity: tuple[str, str] | None


class FoundRoom(NamedTuple):
    """A room, and the host application's key of it."""

    room: Room
    key: str | None


class Entries(NamedTuple):
    """The entries after a position. Without a page they are no longer there, or of another epoch."""

    topic: str
    epoch: str
    page: LogPage | None
    head: int
    floor: int


def user(connection: Connection, key: UserKey) -> FoundUser | None:
    """Return the account, None if there is none. It may be disabled or deleted."""
    number = key if isinstance(key, int) else identities.users_of(connection, key[0], [key[1]]).get(key[1])
    account = accounts.find(connection, number) if number is not None else None
    return None if account is None else FoundUser(account, identities.of_user(connection, account.id))


def ids_of(connection: Connection, keys: Sequence[UserKey]) -> list[int]:
    """Return the ids of accounts, each once. Raises NotFound if an identity has no account."""
    wanted: dict[str, list[str]] = {}
    for key in keys:
        if not isinstance(key, int):
            wanted.setdefault(key[0], []).append(key[1])
    found: dict[tuple[str, str], int] = {}
    for issuer, subjects in wanted.items():
        for start in range(0, len(subjects), SUBJECTS):
            users = identities.users_of(connection, issuer, subjects[start : start + SUBJECTS])
            found.update(((issuer, subject), user) for subject, user in users.items())
    if any(not isinstance(key, int) and key not in found for key in keys):
        raise NotFound(NO_USER)
    return list(dict.fromkeys(key if isinstance(key, int) else found[key] for key in keys))


def room_id(connection: Connection, key: RoomKey) -> int:
    """Return the id of a room. An id is not looked up. Raises NotFound."""
    number = key if isinstance(key, int) else host_rooms.find(connection, key)
    if number is None:
        raise NotFound(NO_ROOM)
    return number


def room(connection: Connection, key: RoomKey) -> FoundRoom | None:
    """Return a room of any kind, None if there is none."""
    number = key if isinstance(key, int) else host_rooms.find(connection, key)
    found = rooms.find(connection, 0, number) if number is not None else None
    return None if found is None else FoundRoom(found, host_rooms.key_of(connection, found.id))


def author(connection: Connection, who: UserKey, where: RoomKey) -> tuple[FoundUser | None, int]:
    """Return the account that acts in a room, and the id of the room. Raises NotFound."""
    return user(connection, who), room_id(connection, where)


def members_of(connection: Connection, room: int, after: int, limit: int) -> list[tuple[int, bool]]:
    """Return a page of a room's members by id: the user, and whether it is a bot."""
    return members.users_of(connection, room, after, limit)


def unread(connection: Connection, user: int) -> list[UnreadCount]:
    """Return the rooms in which the user has unread messages."""
    return reads.unread(connection, user)


def entries(connection: Connection, topic: str, epoch: str | None, after: int | None, limit: int) -> Entries:
    """Return the entries of a topic after a position. Without `after` there are none, only the head.

    Raises NotFound if there is no such topic.
    """
    present = log.epoch(connection)
    position = log.position(connection, topic)
    if position is None:
        raise NotFound("There is no such topic.")
    head, floor = position
    if after is None:
        return Entries(topic, present, LogPage(head, floor, [], head), head, floor)
    page = log.since(connection, topic, after, limit) if epoch in (None, present) else None
    return Entries(topic, present, page, head, floor)
