"""Measure the search: queries over many messages, while others arrive.

    python -m bench.search FOLDER [--database URL|postgresql] [--messages 1000000] [--rate 1000] [--queries 300]
    python -m bench.search FOLDER --built     # with the index of an earlier run

Fills an empty database with messages whose words have a realistic distribution (Zipf, with a
vocabulary that grows with the text), builds the index, and measures queries of a user who is in all
rooms and of one who is in two, over HTTP, from a server that runs as a process of its own. The
messages arrive over a WebSocket from a third process. Prints wall-clock time, and the processor
time of the whole server per query.
"""

import argparse
import asyncio
import http.client
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.parse
from itertools import accumulate
from pathlib import Path

import orjson
from sqlalchemy import NullPool, create_engine, text
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.postgresql import database_url
from bench.server import Server, free_port
from hubbub.domain.commands import CreateAccount, CreateRoom
from hubbub.domain.commands.search import ClearIndex
from hubbub.domain.model import SYSTEM, Actor, Role, room_topic
from hubbub.engine.services import Services
from hubbub.features import accounts
from hubbub.main import running
from hubbub.settings import Settings
from hubbub.storage import search_rooms
from hubbub.storage.ids import EPOCH
from hubbub.storage.schema import messages

ROOMS = 50
PASSWORD = "the users of this measurement"
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


async def talk(port: int, token: str, rooms: list[int], rate: int) -> None:
    """Send messages to a server at a rate, over one connection, until cancelled."""
    texts = Language(2).texts(20_000)
    headers = {"Authorization": f"Bearer {token}"}
    run = secrets.token_hex(4)
    async with connect(
        f"ws://127.0.0.1:{port}/ws",
        subprotocols=[Subprotocol("hubbub.v1")],
        additional_headers=headers,
        compression=None,
    ) as socket:
        await socket.send('{"type":"hello"}')
        reading = asyncio.create_task(_read_all(socket))
        number, begin = 0, time.monotonic()
        while not reading.done():
            while number < (time.monotonic() - begin) * rate:
                fields = {"id": number + 1, "room": rooms[number % len(rooms)], "key": f"{run}-{number}"}
                body = texts[number % len(texts)]
                await socket.send(orjson.dumps({"type": "message.send", **fields, "body": body}).decode())
                number += 1
            await asyncio.sleep(0.01)
        await reading


async def _read_all(socket: ClientConnection) -> None:
    async for frame in socket:
        if b'"error"' in (frame if isinstance(frame, bytes) else frame.encode())[:40]:
            raise RuntimeError(str(frame)[:200])


def measure(server: Server, token: str, asked: list[str]) -> str:
    """Ask one query after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    walls, hits = [], 0
    begin_cpu = server.cpu()
    for number, query in enumerate([*asked[:WARM_UP], *asked]):
        if number == WARM_UP:
            begin_cpu = server.cpu()
        path = "/api/search?" + urllib.parse.urlencode({"q": query, "limit": 20})
        begin = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - begin
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{answer.status} for {query!r}: {content[:200]!r}")
        if number >= WARM_UP:
            walls.append(1_000 * took)
            hits += len(orjson.loads(content)["results"])
    used = 1_000 * (server.cpu() - begin_cpu).total / len(asked)
    walls.sort()
    p50, p95, p99 = (walls[min(len(walls) - 1, round(part * len(walls)))] for part in (0.5, 0.95, 0.99))
    return (
        f"p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms   {used:5.1f} ms of the server's processors"
        f"   {hits / len(asked):.1f} hits a query"
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
    if sys.argv[1:2] == ["--talk"]:
        port, token, rate, *rooms = sys.argv[2:]
        await talk(int(port), token, [int(room) for room in rooms], int(rate))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--built", action="store_true", help="use the index that an earlier run has built")
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
        elif not given.built:
            await services.search.rebuild()
            while (await services.journal.submit(ClearIndex(), SYSTEM)).answer["gone"]:
                pass
        if not given.built:
            await build(services, given.messages)
        author = await find(services, "author")
        rooms = [room.id for room in await services.read(search_rooms.joined, author.id) if room.kind == "private"]
    ask(language, given, url, rooms)


async def build(services: Services, count: int) -> None:
    before = size(services)
    begin, used = time.monotonic(), time.process_time()
    while await services.search.step():
        pass
    took, used = time.monotonic() - begin, time.process_time() - used
    each = (size(services) - before) / count
    print(f"indexed in {took:.0f} s ({used:.0f} s processor): {each:.0f} bytes a message", flush=True)


def ask(language: Language, given: argparse.Namespace, url: str | None, rooms: list[int]) -> None:
    """Measure queries of all kinds against a server, without and with messages that arrive."""
    port = free_port()
    hubbub = str(Path(sys.executable).parent / "hubbub")
    command = [hubbub, "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(given.folder)]
    environment = {"HUBBUB_RATE_LIMITS": "off"} | ({"HUBBUB_DATABASE_URL": url} if url else {})
    log = given.folder / "bench.log"
    with Server(command, port, log, f"0-{(os.cpu_count() or 1) - 1}", environment, "/health/ready") as server:
        for rate in (0, given.rate):
            tokens = {name: _log_in(port, name) for name in ("author", "reader")}
            arguments = [sys.executable, "-m", "bench.search", "--talk", str(port), tokens["author"], str(rate)]
            talking = subprocess.Popen([*arguments, *map(str, rooms)]) if rate else None
            time.sleep(2)
            print(f"{rate} messages a second arrive")
            for name, user in (("in all rooms", "author"), ("in two rooms", "reader")):
                for kind in KINDS:
                    measured = measure(server, _log_in(port, user), queries(language, kind, given.queries))
                    print(f"  {name}, {kind:16}", measured, flush=True)
            if talking:
                if talking.poll() is not None:
                    raise RuntimeError("The client that sends messages ended early.")
                talking.terminate()
                talking.wait()


def _log_in(port: int, name: str) -> str:
    """Return an access token, which is valid for some minutes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    form = urllib.parse.urlencode({"username": name, "password": PASSWORD})
    connection.request("POST", "/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    return str(orjson.loads(connection.getresponse().read())["access_token"])


async def create(services: Services, name: str) -> Actor:
    hashed = await services.passwords.hash(PASSWORD)
    await services.journal.submit(CreateAccount(username=name, password_hash=hashed, role=Role.MEMBER), SYSTEM)
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
