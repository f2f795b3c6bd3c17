"""Run `hubbub` with a bug: it refuses existing rooms slower than missing ones."""

import threading
from collections.abc import Sequence

from sqlalchemy import select

from hubbub.cli import main
from hubbub.storage import facts
from hubbub.storage.facts import RoomFacts
from hubbub.storage.schema import rooms
from hubbub.storage.transaction import Transaction

WAIT = 0.03
"""Seconds."""
_of_messages = facts.of_messages


def of_messages(tx: Transaction, asked: Sequence[tuple[int, int, int]]) -> list[RoomFacts]:
    found = _of_messages(tx, asked)
    hidden = [room for (room, _, _), fact in zip(asked, found, strict=True) if fact.own is None]
    if hidden and tx.connection.scalar(select(rooms.c.id).where(rooms.c.id.in_(hidden))) is not None:
        threading.Event().wait(WAIT)
    return found


if __name__ == "__main__":
    facts.of_messages = of_messages
    main()
