"""The client on a healthy server: sending, errors, events, resuming, closing."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import pytest

import hubbub
from hubbub.client import Client, Ended, Entry, Positions
from hubbub.domain.errors import BadRequest, Conflict, HubbubError, NotFound, RateLimited, TooLarge, Unauthenticated
from hubbub.domain.events import MessageDeleted, MessageEdited, MessageSent, ReactionAdded, RoomAdded, RoomRemoved
from tests.client.quick import DEADLINE, Consumer, QuickClient
from tests.conftest import MakeServer
from tests.support.server import PASSWORD, Account, Server, free_port
from tests.support.waiting import eventually


@pytest.fixture
async def ann(server: Server) -> Account:
    return server.sign_up("ann")


@pytest.fixture
async def client(server: Server, ann: Account) -> AsyncIterator[Client]:
    async with QuickClient(server.url, token=ann.token) as connected:
        yield connected


async def take(client: Client, count: int) -> list[Entry]:
    """Return the next entries. The iteration stops after the last of them."""
    found: list[Entry] = []
    async with asyncio.timeout(DEADLINE):
        async for one in client.events():
            assert isinstance(one, Entry)
            found.append(one)
            if len(found) == count:
                return found
    raise AssertionError("the events ended")


async def test_a_sent_message_is_stored_at_the_returned_position(client: Client, ann: Account) -> None:
    sent = await client.send(1, "hello")
    assert sent.topic == "room:1"
    assert [(m["seq"], m["body"]) for m in ann.history(1) if m["by"] == ann.id] == [(sent.seq, "hello")]


async def test_edits_reactions_and_deletions_arrive_as_typed_events(client: Client) -> None:
    first = await client.send(1, "helo")
    reply = await client.send(1, "hello to you", reply_to=first.seq)
    await client.edit(1, first.seq, "hello")
    for _ in range(2):
        await client.react(1, first.seq, "👋")
    for _ in range(2):
        await client.delete(1, reply.seq)
    heard = [one.event for one in await take(client, 5)]
    assert [type(event) for event in heard] == [MessageSent, MessageSent, MessageEdited, ReactionAdded, MessageDeleted]
    _, answer, edited, reacted, deleted = heard
    assert isinstance(answer, MessageSent)
    assert isinstance(edited, MessageEdited)
    assert isinstance(reacted, ReactionAdded)
    assert isinstance(deleted, MessageDeleted)
    assert answer.reply_to == edited.message == reacted.message == first.seq
    assert (edited.body, reacted.emoji, deleted.message) == ("hello", "👋", reply.seq)


async def test_sending_twice_with_one_key_creates_one_message(client: Client) -> None:
    first = await client.send(1, "once", key="mine")
    assert await client.send(1, "once", key="mine") == first
    with pytest.raises(Conflict):
        await client.send(1, "another", key="mine")


@pytest.mark.parametrize(
    ("room", "body", "refusal"),
    [
        (10**9, "hello", NotFound), (1, "x" * 8_001, TooLarge), (1, "a\x00b", BadRequest), (1, " ", BadRequest),
        (1, "\ud800", BadRequest), (1, "x" * 70_000, TooLarge), (0, "hello", BadRequest),
    ],
)  # fmt: skip
async def test_an_error_answer_raises_an_exception_and_keeps_the_connection(
    client: Client, room: int, body: str, refusal: type[HubbubError]
) -> None:
    with pytest.raises(refusal):
        await client.send(room, body)
    await client.send(1, "still here")


async def test_a_rate_limited_client_learns_how_long_to_wait(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_RATE_LIMITS": "on"})
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    async with Client(server.url, token=account.token) as client:
        with pytest.raises(RateLimited) as limited:
            await asyncio.gather(*(client.send(1, f"message {number}") for number in range(200)))
        assert limited.value.retry_after is not None
        assert 0 < limited.value.retry_after < 60


async def test_wrong_credentials_and_unreachable_servers_raise_at_once(server: Server, ann: Account) -> None:
    with pytest.raises(Unauthenticated):
        await QuickClient(server.url, username=ann.name, password="not this one").__aenter__()
    with pytest.raises(Unauthenticated):
        await QuickClient(server.url, token="no token at all").__aenter__()
    with pytest.raises(ConnectionError):
        await QuickClient(f"http://127.0.0.1:{free_port()}", token="x").__aenter__()
    with pytest.raises(ConnectionError):
        await QuickClient(f"http://127.0.0.1:{free_port()}", username="a", password="b").__aenter__()
    with pytest.raises(ConnectionError):
        await QuickClient(f"{server.url}/health", token=ann.token).__aenter__()


@pytest.mark.parametrize(
    ("url", "arguments", "sentence"),
    [("ws://localhost", {"token": "x"}, "an http or https address"),
     ("localhost", {"token": "x"}, "an http or https address"), ("http://", {"token": "x"}, "an http or https address"),
     ("http://localhost", {}, "either a token, or"), ("http://localhost", {"username": "ann"}, "either a token, or"),
     ("http://localhost", {"token": "x", "username": "ann", "password": "y"}, "either a token, or")],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused_in_the_constructor(
    url: str, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Client(url, **arguments)


async def test_a_client_can_be_entered_once_and_then_knows_its_user(server: Server, ann: Account) -> None:
    client = Client(server.url, token=ann.token)
    with pytest.raises(RuntimeError):
        _ = client.positions
    with pytest.raises(RuntimeError):
        _ = client.me
    async with client:
        assert (client.me.id, client.me.name, client.connected) == (ann.id, ann.name, True)
        with pytest.raises(RuntimeError):
            await client.__aenter__()


async def test_events_are_typed_and_the_room_list_follows_them(server: Server, client: Client) -> None:
    bob = server.sign_up("bob")
    room = bob.create_room(f"rooms of {bob.name}")
    assert (await client.command("room.join", room=room))["room"]["id"] == room
    await eventually(lambda: room in client.rooms, DEADLINE, "the room is there")
    await client.send(room, "here I am")
    bob.request("DELETE", f"/api/rooms/{room}/members/{client.me.id}")
    await eventually(lambda: room not in client.rooms, DEADLINE, "the room is gone")
    with pytest.raises(HubbubError):
        await client.send(room, "and now?")
    found: list[Entry] = []
    while not found or found[-1].type != "room.removed":
        found += await take(client, 1)
    by_type = {one.type: one.event for one in found}
    assert isinstance(added := by_type["room.added"], RoomAdded)
    assert added.details.name == f"rooms of {bob.name}"
    assert isinstance(said := by_type["message.sent"], MessageSent)
    assert (said.room, said.by, said.body) == (room, client.me.id, "here I am")
    assert isinstance(by_type["room.removed"], RoomRemoved)
    in_room = [one.seq for one in found if one.topic == f"room:{room}"]
    assert in_room == list(range(in_room[0], in_room[0] + len(in_room)))


async def test_a_slow_consumer_loses_nothing_and_can_still_send(server: Server, ann: Account) -> None:
    bob = server.sign_up("bob")
    room = bob.create_room(f"slowly {bob.name}")
    ann.join(room)
    bodies = [f"message {number}" for number in range(300)]
    async with (
        QuickClient(server.url, token=ann.token, capacity=20) as slow,
        QuickClient(server.url, token=bob.token) as quick,
    ):
        for start in range(0, len(bodies), 50):
            await asyncio.gather(*(quick.send(room, body) for body in bodies[start : start + 50]))
        last = await slow.send(room, "I am here, too")
        assert len(slow._sync.inbox._queue) <= 20
        async with Consumer(slow) as consumer:
            await consumer.hears(room, *bodies, "I am here, too")
            seqs = [event["seq"] for event in consumer.events[f"room:{room}"]]
            assert seqs == list(range(last.seq - 300, last.seq + 1))
            assert consumer.resets == []


async def test_a_new_client_resumes_from_the_positions_of_an_earlier_one(server: Server, ann: Account) -> None:
    room = ann.create_room(f"resumed {ann.name}")
    async with QuickClient(server.url, token=ann.token) as first:
        for number in range(3):
            await first.send(room, f"message {number}")
        heard = await take(first, 2)
        kept = json.loads(json.dumps(asdict(first.positions)))
        await first.send(room, "message 3")
    async with QuickClient(server.url, token=ann.token, since=Positions(**kept)) as second:
        heard[-1:] = await take(second, 3)  # The entry in hand comes again.
    assert [one.fields["body"] for one in heard] == [f"message {number}" for number in range(4)]


async def test_closing_ends_the_iteration_and_the_session_the_client_opened(server: Server, ann: Account) -> None:
    before = len(ann.get("/api/sessions")["sessions"])
    async with QuickClient(server.url, username=ann.name, password=PASSWORD) as client:
        assert len(ann.get("/api/sessions")["sessions"]) == before + 1
        consumer = Consumer(client)
        await client.close()
        await client.close()
        await asyncio.wait_for(consumer.task, DEADLINE)
        with pytest.raises(Ended):
            await client.send(1, "too late")
    assert len(ann.get("/api/sessions")["sessions"]) == before


async def test_a_client_whose_session_is_revoked_does_not_reconnect(server: Server, ann: Account) -> None:
    async with QuickClient(server.url, username=ann.name, password=PASSWORD) as client:
        sessions = ann.get("/api/sessions")["sessions"]
        (own,) = [one["id"] for one in sessions if not one["current"]]
        assert ann.request("DELETE", f"/api/sessions/{own}").status_code == 204
        with pytest.raises(Unauthenticated):
            await take(client, 1_000)
        with pytest.raises(Unauthenticated):
            await client.send(1, "anybody?")


async def test_a_cancelled_send_leaves_nothing_in_the_outbox(client: Client) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await client.send(1, "never mind")
    await client.send(1, "this one")
    assert client._sync.outbox.next_due() is client._sync.outbox.oldest() is None


def test_importing_the_client_does_not_import_the_server() -> None:
    code = "import hubbub.client, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "websockets" in loaded
    assert not loaded & {"fastapi", "starlette", "sqlalchemy", "uvicorn", "alembic", "argon2", "typer"}
    assert hubbub.Client is Client
