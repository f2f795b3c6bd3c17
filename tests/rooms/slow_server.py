"""Run `hubbub` with a bug: it refuses existing rooms slower than missing ones."""

import threading
from typing import Any

from sqlalchemy import Connection, select

from hubbub.cli import main
from hubbub.domain.model import Membership
from hubbub.storage import members
from hubbub.storage.schema import rooms

WAIT = 0.03
"""Seconds."""
_find: Any = members.find


def find(connection: Connection, room: int, user: int) -> Membership | None:
    found: Membership | None = _find(connection, room, user)
    if found is None and connection.scalar(select(rooms.c.id).where(rooms.c.id == room)) is not None:
        threading.Event().wait(WAIT)
    return found


if __name__ == "__main__":
    members.find = find
    main()
