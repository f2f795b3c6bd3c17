"""Count the instructions of frequent work, in process: sends, catching up, pages of history.

    python -m bench.instructions [WORK ...] [--source FOLDER] [--keep FOLDER]

Counts do not depend on what else the machine does, so that two commits can be compared: `--source`
is the `src` folder of another one. Valgrind runs the server's code (`valgrind --tool=callgrind`)
without gateways, on SQLite. Timers do not fire, so that no background work is counted. `--keep`
stores the profile of each work in a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, event, func, select

from hubbub.domain.commands import AddReaction, CreateAccount, CreateRoom, EditMessage, MessagePage, SendMessage
from hubbub.domain.model import SYSTEM, Actor, Role, Wire, room_topic
from hubbub.engine.services import Services
from hubbub.features import accounts, messages
from hubbub.main import running
from hubbub.settings import Settings
from hubbub.storage import log, schema

AUTHORS, GROUP, SENDS, EVENTS, PAGE, REPEATS = 10, 50, 500, 200, 50, 20
ROUNDS = 2
"""How often a work is measured. The first round also fills caches and is left out."""
WORDS = "the weather was fine this morning and the train left on time "
MARK = "getsid"
"""A function of libc that only this module calls. Callgrind writes a profile whenever it is called."""
Reply = Callable[[Any], None]


class StoppedLoop(asyncio.SelectorEventLoop):
    """An event loop in which time stands still: no timer fires."""

    def time(self) -> float:
        return 0.0


class Site:
    """A server with authors in one room."""

    def __init__(self, services: Services, authors: list[Actor], room: int) -> None:
        self.services = services
        self.authors = authors
        self.room = room
        self._keys = 0

    async def send(self) -> None:
        """Send SENDS messages, GROUP at a time. Each group is one batch of the journal."""
        for _ in range(SENDS // GROUP):
            await self.submit([self._message(number) for number in range(GROUP)])

    async def talk(self) -> None:
        """Send messages, edit one in ten and react to one in five."""
        for _ in range(EVENTS // GROUP):
            await self.submit([self._message(number) for number in range(GROUP)])
            head = self.read(log.heads, [self.topic])[self.topic]
            chosen = range(head - GROUP + 1, head + 1)
            await self.submit(
                [
                    *(self._edit(seq, number) for number, seq in enumerate(chosen) if number % 10 == 0),
                    *(self._reaction(seq, number) for number, seq in enumerate(chosen) if number % 5 == 2),
                ]
            )

    async def submit(self, commands: list[tuple[Any, Actor]]) -> None:
        """Queue commands at once, and wait for their answers. Raises the first error among them."""
        answered = asyncio.get_running_loop().create_future()
        answers: list[Any] = []

        def reply(result: Any) -> None:
            answers.append(result)
            if len(answers) == len(commands):
                answered.set_result(None)

        for command, actor in commands:
            self.services.journal.enqueue(command, actor, reply, actor)
        await answered
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer

    @property
    def topic(self) -> str:
        return room_topic(self.room)

    def read(self, query: Callable[..., Any], *args: Any) -> Any:
        return self.services.database.read(query, *args)

    def _message(self, number: int) -> tuple[Any, Actor]:
        self._keys += 1
        body = WORDS[number % 7 :] + WORDS[: number % 7]
        return SendMessage(room=self.room, key=f"{self._keys:026d}", body=body), self.authors[number % AUTHORS]

    def _edit(self, seq: int, number: int) -> tuple[Any, Actor]:
        return EditMessage(room=self.room, message=seq, body=f"{WORDS} {seq}"), self.authors[number % AUTHORS]

    def _reaction(self, seq: int, number: int) -> tuple[Any, Actor]:
        return AddReaction(room=self.room, message=seq, emoji="👍"), self.authors[number % AUTHORS]


async def send(site: Site) -> int:
    await site.send()
    return SENDS


async def catch_up(site: Site) -> int:
    """Read the newest 200 entries, as often as REPEATS says."""
    after = site.read(log.heads, [site.topic])[site.topic] - EVENTS
    for _ in range(REPEATS):
        page = site.read(log.since, site.topic, after, EVENTS)
        assert page is not None
        assert len(page.texts) == EVENTS
    return REPEATS


async def history(site: Site) -> int:
    """Read pages of history and encode them, as often as REPEATS says."""
    head = site.read(log.heads, [site.topic])[site.topic]
    for number in range(REPEATS):
        query = MessagePage(room=site.room, before=head - number, limit=PAGE)
        orjson.dumps(site.read(messages.page, site.authors[0].id, query), default=_json)
    return REPEATS


def _json(value: object) -> object:
    assert isinstance(value, Wire)
    return value.model_dump(exclude_none=True)


async def _sent(site: Site) -> None:
    await site.send()


async def _talked(site: Site) -> None:
    await site.talk()


WORK: dict[str, tuple[Callable[[Site], Awaitable[None]], Callable[[Site], Awaitable[int]], str]] = {
    "send": (_sent, send, f"a send, in groups of {GROUP}"),
    "catch-up": (_sent, catch_up, f"catching up on {EVENTS} messages"),
    "catch-up-mixed": (_talked, catch_up, f"catching up on {EVENTS} messages, edits and reactions"),
    "history": (_talked, history, f"a page of {PAGE} messages, and its JSON"),
}
"""What must have happened before, the work, and its description."""


async def run(names: list[str], folder: Path, trace: list[str] | None) -> None:
    """Do each work ROUNDS times; mark the begin and the end of each round. Print units and statements."""
    counted = []
    async with opened(folder, trace) as site:
        for name in names:
            before, work, _ = WORK[name]
            await before(site)
            await settled(site.services)
            for _ in range(ROUNDS):
                if trace is not None:
                    trace.clear()
                getattr(os, MARK)(0)
                units = await work(site)
                getattr(os, MARK)(0)
            counted.append((units, len(trace or ())))
    print(json.dumps(counted))


@asynccontextmanager
async def opened(folder: Path, trace: list[str] | None) -> AsyncIterator[Site]:
    """Start a server, and build the site. `trace` gets its statements."""
    if trace is not None:
        event.listen(Engine, "connect", lambda driver, _: driver.set_trace_callback(trace.append))
    async with running(Settings(data=folder, rate_limits=False)) as services:
        sys.setswitchinterval(1_000)  # threads take turns only where they wait
        yield await build(services)


async def build(services: Services) -> Site:
    """Create the authors, and the room that all of them are in."""
    authors = []
    for number in range(AUTHORS):
        name = f"author{number}"
        await services.journal.submit(CreateAccount(username=name, password_hash="-", role=Role.MEMBER), SYSTEM)
        account = services.database.read(accounts.by_name, name)
        assert account is not None
        authors.append(Actor(account.id, name, Role.MEMBER, session="s"))
    others = tuple(author.id for author in authors[1:])
    fields = {"kind": "private", "name": "a room", "key": "room", "members": others}
    await services.journal.submit(CreateRoom.model_validate(fields), authors[0])
    with services.database.reader.connect() as connection:
        room = connection.scalar(select(func.max(schema.rooms.c.id)))
    assert room is not None
    return Site(services, authors, room)


async def settled(services: Services) -> None:
    """Wait until the work of the start is done: reads, commands, and tasks that are ready."""
    quiet = 0
    while quiet < 100:
        await asyncio.sleep(0)
        load = services.journal.load
        busy = any(services.database.reads) or load.waiting or load.writing
        quiet = 0 if busy else quiet + 1


def measure(names: list[str], source: Path, keep: Path | None) -> list[tuple[float, float]]:
    """Return the instructions and the statements of one unit of each work."""
    with folder() as place:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": f"{source}:{Path.cwd()}"}
        command = [sys.executable, "-m", "bench.instructions", *names, "--run"]
        traced = [*command, str(place / "traced"), "--trace"]
        done = subprocess.run(traced, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        counted = json.loads(done.stdout.splitlines()[-1])
        valgrind = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={place}/profile"]
        valgrind += ["--compress-strings=no", "--compress-pos=no"]
        subprocess.run([*valgrind, *command, str(place / "run")], env=environment, check=True, capture_output=True)
        found = []
        for index, (name, (units, statements)) in enumerate(zip(names, counted, strict=True)):
            # The first profile of a round is of what came before it.
            profiles = [place / f"profile.{2 * (index * ROUNDS + number) + 2}" for number in range(1, ROUNDS)]
            found.append((sum(map(total, profiles)) / len(profiles) / units, statements / units))
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(profiles[-1], keep / name)
    return found


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def total(profile: Path) -> int:
    found = re.findall(r"^totals: (\d+)", profile.read_text(errors="replace"), re.MULTILINE)
    return int(found[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="*", choices=[*WORK, []], help=", ".join(WORK))
    parser.add_argument("--source", type=Path, default=Path("src"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.work or list(WORK)
    if given.run:
        with asyncio.Runner(loop_factory=StoppedLoop) as runner:
            runner.run(run(names, given.run, [] if given.trace else None))
        return
    for name, (instructions, statements) in zip(names, measure(names, given.source.resolve(), given.keep), strict=True):
        print(f"{WORK[name][2]}: {instructions:,.0f} instructions, {statements:.2f} statements")


if __name__ == "__main__":
    main()
