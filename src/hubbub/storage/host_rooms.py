"""The rooms of the host application's objects, by its keys."""

from sqlalchemy import Connection, insert, select

from hubbub.storage.schema import host_rooms
from hubbub.storage.transaction import Transaction


def find(connection: Connection, key: str) -> int | None:
    """Return the room with this key, None if there is none."""
    found: int | None = connection.scalar(select(host_rooms.c.room).where(host_rooms.c.key == key))
    return found


def key_of(connection: Connection, room: int) -> str | None:
    """Return the key of a room, None if the host application did not open it."""
    found: str | None = connection.scalar(select(host_rooms.c.key).where(host_rooms.c.room == room))
    return found


def add(tx: Transaction, key: str, room: int) -> None:
    tx.execute(insert(host_rooms).values(key=key, room=room))
