"""Retried messages are stored once and keep their seq."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.support import depth
from tests.support.checker import History, Stored, duplicated, lost, violations
from tests.support.client import Connection, RefusedError
from tests.support.proxy import Proxy
from tests.support.server import Account, Server
from tests.support.waiting import eventually
from tests.support.writer import Writer

pytestmark = [pytest.mark.faults, BOTH_DATABASES]

CONNECTIONS = 8
IN_FLIGHT = 60  # Per connection; a lost acknowledgement costs a timeout, so many must wait in parallel.
REPLY_WITHIN = 1.0
LOSS = 0.3


def is_acknowledgement(payload: bytes) -> bool:
    """Return whether the payload is the reply to a message.send that was stored."""
    if not payload.startswith(b'{"re":'):  # Events are many and need no parsing.
        return False
    frame = json.loads(payload)
    return "seq" in frame.get("ok", {})


def losing(share: float) -> Callable[[bytes], bool]:
    """Return a predicate that matches `share` of the acknowledgements, reproducibly."""
    chance = random.Random(7)
    return lambda payload: is_acknowledgement(payload) and chance.random() < share


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(server.port) as running:
        yield running


async def send_all(places: list[tuple[Writer, int]], count: int, in_flight: int) -> None:
    """Send `count` messages, with `in_flight` at a time for each writer."""
    left = iter(range(count))

    async def lane(writer: Writer, room: int) -> None:
        for _ in left:
            await writer.send(room)

    async with asyncio.TaskGroup() as group:
        for writer, room in places:
            for _ in range(in_flight):
                group.create_task(lane(writer, room))


async def send_through_loss(
    server: Server, proxy: Proxy, count: int, retry_key: Callable[[str], str] | None = None
) -> tuple[History, Stored, int]:
    """Send until everything is acknowledged while acknowledgements vanish.

    Return the writers' history, what is stored, and how often they retried.
    """
    proxy.drop = losing(LOSS)
    history = History()
    places = []
    for number in range(CONNECTIONS):
        if number % 2 == 0:
            author = server.sign_up("retrier")
            room = author.create_room(f"retries {random.getrandbits(40):x}")
        # Two connections share an author and a room, and so a space of keys. The prefix keeps their
        # keys apart.
        writer = Writer(author, history, proxy.websocket_url, REPLY_WITHIN)
        writer.prefix = f"c{number}"
        writer.retry_key = retry_key or writer.retry_key
        places.append((writer, room))
    try:
        await send_all(places, count, IN_FLIGHT)
    finally:
        for writer, _ in places:
            await writer.close()
    stored = Stored.read(server.database_url)
    rooms = {room for _, room in places}
    mine = Stored([row for row in stored.messages if row.room in rooms], stored.log)
    return history, mine, sum(writer.retries for writer, _ in places)


async def test_sends_with_lost_acknowledgements_are_stored_exactly_once(server: Server, proxy: Proxy) -> None:
    sends = depth.rounds("sends", short=1_500, long=10_000)
    history, stored, retries = await send_through_loss(server, proxy, sends)
    assert not violations(history, stored)
    assert len(stored.messages) == sends
    assert len({(row.room, row.seq) for row in stored.messages}) == sends
    assert proxy.dropped > sends * LOSS * 0.8, "acknowledgements were lost"
    assert retries >= proxy.dropped * 0.8, "messages without an acknowledgement were sent again"


async def test_control_retries_under_new_keys_are_found_as_duplicates(server: Server, proxy: Proxy) -> None:
    fresh = iter(range(10**9))
    history, stored, _ = await send_through_loss(server, proxy, 300, lambda key: f"{key}-again-{next(fresh)}")
    assert any("I2 twice" in sentence for sentence in duplicated(history, stored))
    assert len(stored.messages) > 300


async def test_a_retry_returns_the_original_seq_after_the_author_lost_the_right_to_send(
    server: Server, proxy: Proxy
) -> None:
    creator, member = server.sign_up(), server.sign_up()
    room = creator.create_room("a room to be removed from")
    member.join(room)
    history = History()
    writer = Writer(member, history, proxy.websocket_url, reply_within=1.0)
    send = writer.compose(room)
    proxy.drop = is_acknowledgement
    with pytest.raises(TimeoutError):
        await writer.attempt(send, send.key)
    removed = creator.request("DELETE", f"/api/rooms/{room}/members/{member.id}")
    assert removed.status_code == 200, removed.text
    await asyncio.to_thread(creator.request, "POST", f"/api/rooms/{room}/messages", json={"key": "k", "body": "later"})

    proxy.drop = None
    await writer.attempt(send, send.key)  # The retry is acknowledged although the author may not send any more.
    another = writer.compose(room)
    with pytest.raises(RefusedError) as refused:
        await writer.attempt(another, another.key)
    assert refused.value.code in ("forbidden", "not_found")
    await writer.close()
    stored = Stored.read(server.database_url)
    assert not lost(history, stored)
    assert [row.key for row in stored.messages if row.room == room and row.author == member.id] == [send.key]


async def test_the_same_key_with_another_body_is_a_conflict(server: Server) -> None:
    account = server.sign_up()
    async with await Connection.open(server.websocket_url, account.token) as connection:
        first = await connection.command("message.send", room=1, key="same", body="one")
        for body in ("two", "one ", "One"):
            with pytest.raises(RefusedError) as refused:
                await connection.command("message.send", room=1, key="same", body=body)
            assert refused.value.code == "conflict"
        again = await connection.command("message.send", room=1, key="same", body="one")
    assert again["seq"] == first["seq"]
    over_rest = account.request("POST", "/api/rooms/1/messages", json={"key": "same", "body": "one"})
    assert over_rest.json()["seq"] == first["seq"]
    assert account.request("POST", "/api/rooms/1/messages", json={"key": "same", "body": "x"}).status_code == 409


async def test_an_idempotency_key_belongs_to_its_author_and_its_room(server: Server) -> None:
    one, other = server.sign_up(), server.sign_up()
    room = one.create_room(f"keys of {one.name}")
    other.join(room)
    seqs = set()
    for account, place in ((one, room), (other, room), (one, 1)):
        answer = account.request("POST", f"/api/rooms/{place}/messages", json={"key": "mine", "body": "hello"})
        assert answer.status_code == 201, answer.text
        seqs.add((place, answer.json()["seq"]))
    assert len(seqs) == 3


async def side_by_side(accounts_connections: list[Connection], room: int, key: str, count: int) -> list[int]:
    """Send one key `count` times at once; return the acknowledged seqs."""
    futures = [
        await accounts_connections[number % len(accounts_connections)].post(
            "message.send", room=room, key=key, body="once only"
        )
        for number in range(count)
    ]
    replies = await asyncio.gather(*futures)
    return [reply["ok"]["seq"] for reply in replies]


async def open_many(server: Server, account: Account, count: int) -> list[Connection]:
    return [await Connection.open(server.websocket_url, account.token) for _ in range(count)]


async def test_fifty_concurrent_retries_are_one_message_also_after_a_restart(make_server: MakeServer) -> None:
    server = make_server()
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    connections = await open_many(server, account, 10)
    seqs = await side_by_side(connections, 1, "one of fifty", 50)
    assert len(set(seqs)) == 1

    await asyncio.to_thread(server.kill)
    for connection in connections:
        await connection.wait_closed(20)
    await asyncio.to_thread(server.start)
    connections = await open_many(server, account, 10)
    assert set(await side_by_side(connections, 1, "one of fifty", 50)) == set(seqs)
    with pytest.raises(RefusedError) as refused:
        await connections[0].command("message.send", room=1, key="one of fifty", body="another body")
    assert refused.value.code == "conflict"
    for connection in connections:
        await connection.close()
    assert [row.key for row in Stored.read(server.database_url).messages] == ["one of fifty"]


async def test_connection_resets_in_the_middle_of_sends_repeat_no_message(server: Server, proxy: Proxy) -> None:
    history = History()
    account = server.sign_up()
    writer = Writer(account, history, proxy.websocket_url, REPLY_WITHIN)
    working = asyncio.create_task(send_all([(writer, 1)], 400, 8))
    for goal in range(40, 400, 40):
        await eventually(lambda: len(history.acked) >= goal, 20, "the writer makes progress", every=0.001)  # noqa: B023
        proxy.reset_all()
    await working
    await writer.close()
    assert writer.retries > 0
    stored = Stored.read(server.database_url)
    mine = Stored([row for row in stored.messages if row.author == account.id], {})
    assert not [sentence for sentence in violations(history, mine) if not sentence.startswith("I6")]
    assert len(mine.messages) == 400
