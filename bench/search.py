"""Measure the search: queries over many messages, while others arrive.

    python -m bench.search FOLDER [--database URL|postgresql] [--messages 1000000] [--rate 1000] [--queries 300]

Fills an empty database with messages whose words have a realistic distribution (Zipf, with a
vocabulary that grows with the text), builds the index, and measures queries of a user who is in all
rooms and of one who is in two. Prints wall-clock and processor time per query.
"""

import argparse
import asyncio
import random
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from bench.postgresql import database_url
from hubbub.domain.commands import CreateAccount, CreateRoom, SendMessage
from hubbub.domain.commands.search import ClearIndex
from hubbub.domain.model import SYSTEM, Actor, Role, room_topic
from hubbub.engine.services import Services
from hubbub.features import accounts, search
from hubbub.features.search import SearchRequest
from hubbub.main import running
from hubbub.settings import Settings
from hubbub.storage import search_rooms
from hubbub.storage.ids import EPOCH
from hubbub.storage.schema import messages

ROOMS = 50
WORDS = 300_000
LENGTH = 59
WARM_UP = 20
"""Queries that are not counted: they compile the statements and fill the page cache."""
SPACING = 500
"""Milliseconds between two messages of the past."""
SYLLABLES = [first + second for first in "bcdfghklmnprstvw" for second in ("a", "e", "i", "o", "u", "an", "er", "is")]


class Language:
    """Words by rank, and texts whose words have the frequencies of a natural language."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = [self._word(rank) for rank in range(WORDS)]
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))

    def text(self) -> str:
        found: list[str] = []
        size = -1
        while size < LENGTH - 3:
            word = self.random.choices(self.words, cum_weights=self._weights)[0]
            found.append(word)
            size += len(word) + 1
        return " ".join(found)[:LENGTH]

    def texts(self, count: int) -> list[str]:
        """Return many texts; words are drawn together, which is faster."""
        drawn = iter(self.random.choices(self.words, cum_weights=self._weights, k=count * 14))
        found = []
        for _ in range(count):
            body = next(drawn)
            while len(body) < LENGTH - 3:
                body += " " + next(drawn)
            found.append(body[:LENGTH])
        return found

    def _word(self, rank: int) -> str:
        parts = []
        number = rank
        while True:
            number, part = divmod(number, len(SYLLABLES))
            parts.append(SYLLABLES[part])
            if not number:
                return "".join(parts)
            number -= 1


async def fill(services: Services, language: Language, count: int, rooms: list[int], author: int) -> None:
    """Insert messages into the rooms, in turn, without their log."""
    engine = create_engine(services.database.url, poolclass=NullPool)
    at = services.clock.now() - count * SPACING
    columns = ("id", "room", "seq", "n", "at", "author", "key", "hash", "body")
    done = 0
    while done < count:
        some = language.texts(min(5_000, count - done))
        rows = []
        for body in some:
            at += SPACING
            room, seq = rooms[done % len(rooms)], 1_000 + done // len(rooms)
            id_ = (at - EPOCH) * 1_000 << 10
            rows.append(dict(zip(columns, (id_, room, seq, seq, at, author, f"k{done}", "0" * 64, body), strict=True)))
            done += 1
        with engine.begin() as connection:
            connection.execute(messages.insert(), rows)
    with engine.begin() as connection:
        head = 1_001 + count // len(rooms)
        for room in rooms:
            connection.execute(
                text("UPDATE topics SET head = :head, n = :head, floor = :head WHERE topic = :topic"),
                {"head": head, "topic": room_topic(room)},
            )


async def talk(services: Services, language: Language, rooms: list[int], author: Actor, rate: int) -> None:
    """Send messages at a rate until cancelled."""
    number = 0
    begin = time.monotonic()
    while True:
        while number < (time.monotonic() - begin) * rate:
            body = language.text()
            command = SendMessage(
                type="message.send", room=rooms[number % len(rooms)], key=f"{time.time_ns()}", body=body
            )
            services.journal.enqueue(command, author, lambda _result: None, author)
            number += 1
        await asyncio.sleep(0.01)


def timed(connection: Any, user: int, request: SearchRequest) -> tuple[float, int]:
    begin = time.thread_time()
    found = search.page(connection, user, request)
    results: Any = found["results"]
    return time.thread_time() - begin, len(results)


async def measure(services: Services, user: int, queries: list[str]) -> str:
    for query in queries[:WARM_UP]:
        await services.read(timed, user, SearchRequest(query, False, None, 20))
    walls, cpus, hits = [], [], 0
    for query in queries:
        begin = time.perf_counter()
        cpu, count = await services.read(timed, user, SearchRequest(query, False, None, 20))
        walls.append(1_000 * (time.perf_counter() - begin))
        cpus.append(1_000 * cpu)
        hits += count
        await asyncio.sleep(0)
    walls.sort(), cpus.sort()
    p50, p99 = len(walls) // 2, min(len(walls) - 1, round(0.99 * len(walls)))
    return (
        f"p50 {walls[p50]:6.1f} ms  p99 {walls[p99]:6.1f} ms   processor p50 {cpus[p50]:5.1f} ms"
        f"  p99 {cpus[p99]:5.1f} ms   {hits / len(queries):.1f} hits a query"
    )


def queries(language: Language, kind: str, count: int) -> list[str]:
    pick = random.Random(7)
    ranks = {"common": (0, 40), "middle": (500, 5_000), "rare": (20_000, WORDS)}
    found = []
    for _ in range(count):
        if kind in ranks:
            found.append(" ".join(language.words[pick.randrange(*ranks[kind])] for _ in range(2)))
        elif kind == "rare and common":
            found.append(f"{language.words[pick.randrange(20_000, WORDS)]} {language.words[pick.randrange(40)]}")
        elif kind == "one rare":
            found.append(language.words[pick.randrange(20_000, WORDS)])
        elif kind == "prefix":
            found.append(language.words[pick.randrange(200, 20_000)][: pick.randrange(2, 5)] + "*")
        else:
            found.append(f'"{language.words[pick.randrange(40)]} {language.words[pick.randrange(40)]}"')
    return found


KINDS = ("common", "middle", "rare", "rare and common", "one rare", "prefix", "phrase")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args()
    with database_url(given.database) as url:
        await run(given, url)


async def run(given: argparse.Namespace, url: str | None) -> None:
    """Fill the database unless it was filled before, build the index, and measure."""
    language = Language(1)
    chosen = Settings(data=given.folder, database_url=url, rate_limits=False)
    async with running(chosen, serving=False) as services:
        if await services.read(accounts.by_name, "author") is None:
            author, reader = [await create(services, name) for name in ("author", "reader")]
            rooms = [
                await create_room(services, author, [reader] if number < 2 else [], number) for number in range(ROOMS)
            ]
            begin = time.monotonic()
            await fill(services, language, given.messages, rooms, author.id)
            print(f"filled in {time.monotonic() - begin:.0f} s", flush=True)
        else:
            await services.search.rebuild()
            while (await services.journal.submit(ClearIndex(), SYSTEM)).answer["gone"]:
                pass
        before = size(services)
        begin, used = time.monotonic(), time.process_time()
        while await services.search.step():
            pass
        took, used = time.monotonic() - begin, time.process_time() - used
        each = (size(services) - before) / given.messages
        print(f"indexed in {took:.0f} s ({used:.0f} s processor): {each:.0f} bytes a message", flush=True)
    async with running(chosen) as services:
        await ask(services, language, given)


async def ask(services: Services, language: Language, given: argparse.Namespace) -> None:
    """Measure queries of all kinds, without and with messages that arrive."""
    author, reader = [await find(services, name) for name in ("author", "reader")]
    rooms = [room.id for room in await services.read(search_rooms.joined, author.id) if room.kind == "private"]
    for rate in (0, given.rate):
        talking = asyncio.create_task(talk(services, language, rooms, author, rate)) if rate else None
        await asyncio.sleep(2)
        print(f"{rate} messages a second arrive")
        for name, user in (("in all rooms", author), ("in two rooms", reader)):
            for kind in KINDS:
                measured = await measure(services, user.id, queries(language, kind, given.queries))
                print(f"  {name}, {kind:16}", measured, flush=True)
        if talking:
            talking.cancel()


async def create(services: Services, name: str) -> Actor:
    await services.journal.submit(CreateAccount(username=name, password_hash="-", role=Role.MEMBER), SYSTEM)
    return await find(services, name)


async def find(services: Services, name: str) -> Actor:
    account = await services.read(accounts.by_name, name)
    assert account is not None
    return Actor(account.id, name, Role.MEMBER, session="s")


async def create_room(services: Services, author: Actor, others: list[Actor], number: int) -> int:
    members = tuple(other.id for other in others)
    fields = {"kind": "private", "name": f"room {number}", "key": f"r{number}", "members": members}
    return (await services.journal.submit(CreateRoom.model_validate(fields), author)).answer["room"].id


def size(services: Services) -> int:
    """Return the bytes of the tables and their indexes, without free space."""
    with services.database.reader.connect() as connection:
        if services.database.is_sqlite:
            pages, free, width = (
                int(connection.execute(text(f"PRAGMA {name}")).scalar_one())
                for name in ("page_count", "freelist_count", "page_size")
            )
            return (pages - free) * width
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


if __name__ == "__main__":
    asyncio.run(main())
