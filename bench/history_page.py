"""How long a page of history takes in a large database, without HTTP.

    python -m bench.history_page DATABASE_URL [--messages 1000000] [--pages 3000]

Fills an empty database, or measures the one that an earlier run has filled. The messages of all
rooms are interleaved, as on a site in use. Every page is at a random place of a random room.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, select, text, update

from bench.filling import rows_of
from hubbub.domain.commands import MessagePage
from hubbub.domain.model import Role, RoomRole, as_json
from hubbub.features import messages as feature
from hubbub.storage import accounts, migrate, rooms
from hubbub.storage.database import Database
from hubbub.storage.ids import Ids
from hubbub.storage.schema import members, mentions, messages, reactions, topics
from hubbub.storage.transaction import Transaction

USERS, ROOMS, PAGE = 50, 20, 50
CHUNK = 20_000
EMOJI = ("👍", "🎉", "😄")
Row = dict[str, Any]


def fill(database: Database, count: int) -> None:
    """Make users, rooms and `count` messages. One in 20 has reactions, one in 20 is a reply."""
    now = round(time.time() * 1000)
    migrate.upgrade(database, epoch="bench", now=now)
    with database.writer.begin() as connection:
        tx = Transaction(connection, ids := Ids.load(connection), now)
        ids.tick(now)
        people = [accounts.create(tx, f"user{number}", Role.MEMBER, None) for number in range(USERS)]
        roles = dict.fromkeys(people, RoomRole.MEMBER)
        made = [rooms.create(tx, rooms.NewRoomRow("public", f"Room {n}", people[0]), roles) for n in range(ROOMS)]
        tx.flush()
        parts = _interleaved(ids, made, people, count, now)
        while chunk := list(islice(parts, CHUNK)):
            stored, reacted, mentioned = zip(*chunk, strict=True)
            connection.execute(insert(messages), list(stored))
            connection.execute(insert(reactions), [row for some in reacted for row in some])
            connection.execute(insert(mentions), [row for some in mentioned for row in some])
        for room in made:
            last = connection.execute(
                select(func.max(messages.c.seq), func.max(messages.c.n)).where(messages.c.room == room)
            ).one()
            connection.execute(update(topics).where(topics.c.topic == f"room:{room}").values(head=last[0], n=last[1]))
            connection.execute(update(members).where(members.c.room == room).values(read_seq=last[0], read_n=last[1]))
    with database.migrating() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()


def _interleaved(
    ids: Ids, made: list[int], people: list[int], count: int, now: int
) -> Iterator[tuple[Row, list[Row], list[Row]]]:
    for number in range(count):
        room, n = made[number % len(made)], number // len(made) + 1
        author, seq = people[number * 7 % len(people)], n
        (stored,) = rows_of(ids, room, [(seq, n, author)], now)
        reacted: list[Row] = []
        mentioned: list[Row] = []
        stored |= {"reply_to": None, "mentions": None}
        if number % 20 == 3 and seq > 30:
            stored["reply_to"] = seq - 30
        if number % 20 == 5:
            stored["mentions"] = f'{{"users":[{people[0]}]}}'
            mentioned = [{"user": people[0], "room": room, "seq": seq, "author": author}]
        if number % 20 == 7:
            common = {"room": room, "seq": seq, "first_seq": seq + 1}
            reacted = [{**common, "emoji": e, "user": user, "added_seq": seq + 1} for e in EMOJI for user in people[:2]]
        yield stored, reacted, mentioned


def measure(database: Database, pages: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds that each of `pages` pages took, and those of processor time.

    The pages are at random places. Encoding the answers as JSON is included.
    """
    made, people, last = database.read(_places)
    chosen = random.Random(7)
    took, used = [], []
    for _ in range(pages):
        query = MessagePage(room=chosen.choice(made), before=chosen.randint(PAGE, last), limit=PAGE)
        started, worked = time.perf_counter(), time.thread_time()
        answer = database.read(feature.page, chosen.choice(people), query)
        orjson.dumps(answer, default=as_json)
        took.append((time.perf_counter() - started) * 1_000)
        used.append((time.thread_time() - worked) * 1_000)
    return took, used


def _places(connection: Connection) -> tuple[list[int], list[int], int]:
    made = list(connection.scalars(select(members.c.room).distinct().order_by(members.c.room)))
    people = list(connection.scalars(select(members.c.user).distinct().order_by(members.c.user)))
    return made, people, connection.scalar(select(func.max(messages.c.seq))) or 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("url")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=3_000)
    given = parser.parse_args()
    database = Database(given.url)
    try:
        if database.path is not None and not database.path.exists():
            fill(database, given.messages)
        elif database.path is None:
            with database.migrating() as connection:
                empty = migrate.current(connection) is None
            if empty:
                fill(database, given.messages)
        for name, found in zip(("elapsed", "processor"), measure(database, given.pages), strict=True):
            cuts = statistics.quantiles(found, n=100)
            print(f"{name}: p50 {cuts[49]:.2f} ms, p95 {cuts[94]:.2f} ms, p99 {cuts[98]:.2f} ms")
    finally:
        database.close()


if __name__ == "__main__":
    main()
