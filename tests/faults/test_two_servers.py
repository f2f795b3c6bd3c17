"""Two servers on one PostgreSQL: each room has one order, and removals are final.

There is no bus between them: connections of one server find what the other stored in the log when
they see a gap. The lock that keeps a second server off the database is switched off here;
`test_locks.py` tests it.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.conftest import MakeServer
from tests.support import depth
from tests.support.checker import History, Stored, violations
from tests.support.client import Connection, RefusedError, outcome
from tests.support.follower import Follower
from tests.support.postgres import Postgres
from tests.support.server import Account, Server
from tests.support.waiting import eventually
from tests.support.writer import Writer

pytestmark = pytest.mark.faults

Two = tuple[Server, Server]
BROKEN = ("-m", "tests.support.broken_server")
WRITERS = 3  # This many on each server.
LANES = 5  # Messages that each writer has in flight.
EACH = 30


@pytest.fixture(scope="module")
def two(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two servers started at the same time on an empty database."""
    settings = {"HUBBUB_DATABASE_URL": postgres_server.empty(), "BROKEN": "share-database"}
    first, second = (Server(tmp_path_factory.mktemp("server") / "data", settings, BROKEN) for _ in range(2))
    try:
        yield started(first, second)
    finally:
        first.kill()
        second.kill()
        postgres_server.drop(settings["HUBBUB_DATABASE_URL"])


@pytest.fixture
def two_broken(make_server: MakeServer, postgres_server: Postgres, request: pytest.FixtureRequest) -> Two:
    """Two servers that break the same promise."""
    settings = {"HUBBUB_DATABASE_URL": postgres_server.fresh(), "BROKEN": f"share-database {request.param}"}
    return started(make_server(settings, BROKEN), make_server(settings, BROKEN))


def started(first: Server, second: Server) -> Two:
    for server in (first, second):
        server.launch()
    for server in (first, second):
        server.wait_ready()
    return first, second


def there(account: Account, server: Server) -> Account:
    """Log the user in on the other server; each server signs its own tokens."""
    return server.log_in(account.name)


async def both_writing(two: Two) -> list[str]:
    """Write to the same rooms on both servers; return what was wrong."""
    first, second = two
    history = History()
    creator = first.sign_up("creator")
    rooms = [creator.create_room(f"one room {random.getrandbits(40):x}") for _ in range(3)]
    followers = [await Follower(s.websocket_url, there(creator, s).token).start() for s in two]
    writers = []
    for number in range(2 * WRITERS):
        account = first.sign_up("writer")
        for room in rooms:
            account.join(room)
        writers.append(Writer(there(account, second) if number % 2 else account, history))
    lanes = [lane(writer, rooms) for writer in writers for _ in range(LANES)]
    refused = [str(error) for error in await asyncio.gather(*lanes, return_exceptions=True) if error is not None]
    for server, follower in zip(two, followers, strict=True) if not refused else ():
        last = Writer(there(creator, server), history)
        last.prefix = f"last-{server.port}"
        for room in rooms:  # The last message makes the follower look for gaps.
            seq = (await last.send(room)).seqs[0]
            topic = f"room:{room}"
            await eventually(lambda: follower.positions()[topic] >= seq, 20, "the follower has caught up")  # noqa: B023
            history.observe(f"{server.port} {topic}", {topic: follower.events(topic)}, follower.resets)
        await last.close()
    await asyncio.gather(*(writer.close() for writer in writers), *(follower.stop() for follower in followers))
    return refused + violations(history, Stored.read(first.database_url))


async def lane(writer: Writer, rooms: list[int]) -> None:
    for number in range(EACH):
        await writer.send(rooms[number % len(rooms)])


def deadlocks(server: Server) -> int:
    """Return how many transactions PostgreSQL aborted to resolve deadlocks."""
    address = make_url(server.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(address)) as connection:
        row: Any = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0])


async def test_two_servers_write_the_same_rooms_in_one_order_without_gaps_and_deadlocks(two: Two) -> None:
    found = await both_writing(two)
    assert not found, "\n".join(found)
    assert deadlocks(two[0]) == 0


@pytest.mark.parametrize("two_broken", ["remember-heads"], indirect=True)
async def test_control_two_servers_that_cache_heads_violate_the_order(two_broken: Two) -> None:
    assert await both_writing(two_broken)


async def removing(two: Two, rounds: int) -> list[str]:
    """Remove a member on one server while they send on the other.

    Return what was accepted after the removal.
    """
    first, second = two
    creator, member = first.sign_up("creator"), first.sign_up("member")
    talker = await Connection.open(second.websocket_url, there(member, second).token, on_event=lambda _: None)
    found = []
    for number in range(rounds):
        room = creator.create_room(f"two servers {random.getrandbits(40):x}")
        member.join(room)
        told: list[int] = []
        over = asyncio.Event()
        talks = [asyncio.create_task(talk(talker, room, f"{number} {n}", told, over)) for n in range(LANES)]
        await eventually(lambda: len(told) > LANES, 20, "the member sends")  # noqa: B023
        gone = await asyncio.to_thread(creator.request, "DELETE", f"/api/rooms/{room}/members/{member.id}")
        assert gone.status_code == 200, gone.text
        over.set()
        codes = await asyncio.gather(*talks)
        log = creator.log(f"room:{room}")
        removed = next(event["seq"] for event in log if event["type"] == "member.removed")
        late = [event for event in log if event["seq"] > removed]
        found += [f"removed at {removed}, then {event}" for event in late]
        found += [f"refused as {code}" for code in codes if code != "not_found"]
        found += [f"removed at {removed}, told {seq}" for seq in told if seq > removed]
    await talker.close()
    return found


async def talk(talker: Connection, room: int, name: str, told: list[int], over: asyncio.Event) -> str:
    """Send until a refusal and return its code.

    Return "nothing" if an expected refusal did not come.
    """
    left = 3
    for number in itertools.count():
        left -= over.is_set()
        if not left:
            break
        try:
            reply = await talker.post("message.send", room=room, key=f"{name} {number}", body="still here")
            told.append(outcome(await reply)["seq"])
        except RefusedError as refused:
            return refused.code
    return "nothing"


async def test_no_message_is_accepted_on_one_server_after_the_authors_removal_on_the_other(two: Two) -> None:
    found = await removing(two, depth.rounds("removals", short=10, long=300))
    assert not found, "\n".join(found)
    assert deadlocks(two[0]) == 0


@pytest.mark.parametrize("two_broken", ["remember-members"], indirect=True)
async def test_control_servers_that_cache_members_accept_messages_after_the_removal(two_broken: Two) -> None:
    assert any("removed at" in sentence for sentence in await removing(two_broken, 1))
