"""Server-sent events: positions, rights, limits and the end of a stream."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import pytest

from tests.conftest import MakeServer
from tests.support.event_source import ACCEPT, EventSource, StreamRefused
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually

Open = Callable[..., EventSource]


@pytest.fixture
async def source() -> AsyncIterator[Open]:
    """Return a factory of sources, which are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(account: Account, topic: str) -> EventSource:
            made = EventSource(account, topic)
            stack.push_async_callback(made.close)
            return made

        yield make


def say(account: Account, room: int, *bodies: str) -> None:
    for body in bodies:
        answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": body, "key": uuid4().hex})
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture
def talk(server: Server) -> tuple[Account, int]:
    account = server.sign_up("ann")
    room = account.create_room(f"The stream of {account.name}")
    say(account, room, "one", "two")
    return account, room


async def test_a_stream_begins_now_and_says_its_position(source: Open, talk: tuple[Account, int]) -> None:
    account, room = talk
    stream = await source(account, f"room:{room}").open()
    page = account.get(stream.path, after=0)
    assert stream.last_id == f"{page['epoch']}:{page['head']}"
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.retry == 2.0
    await asyncio.to_thread(say, account, room, "three\nlines")
    await eventually(lambda: stream.events, 20, "the message arrives")
    assert stream.bodies() == ["three\nlines"]
    assert stream.types == ["message.sent"]
    assert stream.events == account.get(stream.path, after=page["head"])["events"], "the data is the entry of the wire"
    assert stream.last_id == f"{page['epoch']}:{page['head'] + 1}"


@pytest.mark.parametrize("how", ["query", "header", "seq"])
async def test_a_stream_begins_at_a_position(source: Open, talk: tuple[Account, int], how: str) -> None:
    account, room = talk
    stream = source(account, f"room:{room}")
    page = account.get(stream.path, after=0)
    if how == "query":
        await stream.open(after=1, epoch=page["epoch"])
    else:
        stream.last_id = "1" if how == "seq" else f"{page['epoch']}:1"
        await stream.open(after=page["head"])  # Last-Event-ID comes first: the query is that of the first request
    await asyncio.to_thread(say, account, room, "three")
    await eventually(lambda: "three" in stream.bodies(), 20, "the message arrives")
    assert list(stream.seqs()) == list(range(2, page["head"] + 2))


async def test_a_long_absence_is_caught_up_page_by_page_while_new_messages_arrive(
    source: Open, talk: tuple[Account, int]
) -> None:
    account, room = talk
    await asyncio.to_thread(say, account, room, *(f"old {number}" for number in range(450)))
    stream = source(account, f"room:{room}")
    opening = asyncio.create_task(stream.open(after=1))
    await asyncio.to_thread(say, account, room, *(f"new {number}" for number in range(50)))
    await opening
    await asyncio.to_thread(say, account, room, "last")
    await eventually(lambda: "last" in stream.bodies(), 30, "the last message arrives")
    head = account.get(stream.path, after=0, limit=1)["head"]
    assert list(stream.seqs()) == list(range(2, head + 1))


@pytest.mark.parametrize("position", ["other:1", "999999"])
async def test_a_gap_is_an_explicit_reset_and_the_stream_goes_on_after_the_head(
    source: Open, talk: tuple[Account, int], position: str
) -> None:
    account, room = talk
    stream = source(account, f"room:{room}")
    page = account.get(stream.path, after=0)
    stream.last_id = position
    await stream.open()
    await eventually(lambda: stream.events, 20, "the reset arrives")
    (reset,) = stream.events
    assert stream.types == ["reset"]
    assert reset == {
        "type": "reset", "topic": stream.topic, "epoch": page["epoch"], "head": page["head"], "floor": reset["floor"]
    }  # fmt: skip
    await asyncio.to_thread(say, account, room, "three")
    await eventually(lambda: stream.bodies() == ["three"], 20, "the stream goes on")
    assert stream.last_id == f"{page['epoch']}:{page['head'] + 1}"


async def test_the_topics_of_the_user_and_the_site_can_be_followed_and_those_of_others_not(
    source: Open, server: Server, talk: tuple[Account, int]
) -> None:
    account, room = talk
    other = server.sign_up("bob")
    own, site = await source(account, f"user:{account.id}").open(), await source(account, "site").open()
    made = await asyncio.to_thread(account.create_room, "Another")
    await eventually(lambda: "room.added" in own.types, 20, "the room is added")
    await eventually(lambda: own.events[-1]["details"]["id"] == made, 20, "the new room")
    await eventually(lambda: site.types, 20, "the site has a new room")
    answer = account.request("POST", "/api/rooms", json={"kind": "private", "name": "Secret"})
    private = answer.json()["room"]["id"]
    for topic in (f"user:{account.id}", f"room:{private}", "room:12345"):
        with pytest.raises(StreamRefused) as refused:
            await source(other, topic).open()
        assert refused.value.status == 404
    nobody = EventSource(Account(server, 0, "nobody", "wrong", ""), f"room:{room}")
    with pytest.raises(StreamRefused) as refused:
        await nobody.open()
    assert refused.value.status == 401


async def test_a_removed_member_gets_nothing_more_and_cannot_resume(
    source: Open, server: Server, talk: tuple[Account, int]
) -> None:
    account, room = talk
    other = server.sign_up("bob")
    assert other.request("POST", f"/api/rooms/{room}/join").status_code == 200
    stream = await source(other, f"room:{room}").open()
    removed = account.request("DELETE", f"/api/rooms/{room}/members/{other.id}")
    assert removed.status_code in (200, 204), removed.text
    await asyncio.to_thread(say, account, room, "secret")
    await stream.ends()
    assert "secret" not in stream.bodies()
    with pytest.raises(StreamRefused) as refused:
        await stream.open()
    assert refused.value.status == 404


async def test_a_log_out_and_a_disabled_account_end_the_streams_at_once(
    source: Open, server: Server, talk: tuple[Account, int]
) -> None:
    account, room = talk
    stream = await source(account, f"room:{room}").open()
    again = server.log_in(account.name)
    other = await source(again, f"room:{room}").open()
    assert account.request("POST", "/api/logout").status_code == 204
    await stream.ends()
    with pytest.raises(StreamRefused) as refused:
        await stream.open()
    assert refused.value.status == 401
    assert not other.ended
    await asyncio.to_thread(server.command_line, "user", "disable", account.name)
    await other.ends()


async def test_a_browsers_cookie_opens_a_stream(server: Server, talk: tuple[Account, int]) -> None:
    account, room = talk
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        log_in = {"username": account.name, "password": PASSWORD}
        answer = await client.post("/api/login", json=log_in, headers={"Origin": server.url})
        assert answer.status_code == 200, answer.text
        async with client.stream("GET", f"/api/topics/room:{room}/events?after=0", headers=ACCEPT) as response:
            assert response.status_code == 200
            assert (await anext(response.aiter_raw())).startswith(b"retry: 2000\nid: ")


@pytest.mark.parametrize("wrong", ["x", "epoch:", "a b:1", "-1", "1" * 17, "e:" + "9" * 16, "é:1"])
def test_a_malformed_last_event_id_is_refused(talk: tuple[Account, int], wrong: str) -> None:
    account, room = talk
    stream = EventSource(account, f"room:{room}")
    headers = {**account.headers, **ACCEPT, "Last-Event-ID": wrong}
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    answer = httpx.get(account.server.url + stream.path, headers=encoded)
    assert answer.status_code == 400
    assert "Last-Event-ID" in answer.json()["error"]["message"]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/event-stream;q=0"])
def test_without_the_media_type_the_answer_is_a_page(talk: tuple[Account, int], accept: str) -> None:
    account, room = talk
    path, headers = f"/api/topics/room:{room}/events", {**account.headers, "Accept": accept, "Last-Event-ID": "?"}
    answer = httpx.get(account.server.url + path, headers=headers)
    assert answer.json() == account.get(path, after=0)


async def test_streams_count_as_connections_and_are_counted(make_server: MakeServer, source: Open) -> None:
    server = make_server({"HUBBUB_CONNECTIONS_PER_USER": "3"})
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    streams = [await source(account, "room:1").open() for _ in range(3)]
    assert server.metrics()['hubbub_connections{state="events"}'] == 3
    with pytest.raises(StreamRefused) as refused:
        await source(account, "room:1").open()
    assert refused.value.status == 429
    await streams[0].close()
    await eventually(lambda: server.metrics()['hubbub_connections{state="events"}'] == 2, 20, "the client has left")
    await source(account, "room:1").open()


@pytest.mark.faults
async def test_after_a_kill_a_stream_resumes_without_gap_or_duplicate(make_server: MakeServer, source: Open) -> None:
    server = make_server()
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    room = account.create_room("Streamed")
    stream = await source(account, f"room:{room}").open(after=1)
    for round_ in range(3):
        await asyncio.to_thread(say, account, room, *(f"message {round_} {number}" for number in range(20)))
        await asyncio.to_thread(server.kill)
        await stream.ends()
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(say, account, room, f"unheard {round_}")
        await stream.open(after=1)
    await eventually(lambda: "unheard 2" in stream.bodies(), 20, "the last message arrives")
    head = account.get(stream.path, after=0)["head"]
    assert list(stream.seqs()) == list(range(2, head + 1))
    assert stream.types.count("reset") == 0


@pytest.mark.faults
async def test_a_stopping_server_ends_its_streams_and_says_when_to_come_back(
    make_server: MakeServer, source: Open
) -> None:
    server = make_server({"HUBBUB_DRAIN_SECONDS": "20"})
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    streams = [await source(account, "room:1").open() for _ in range(5)]
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    for stream in streams:
        await stream.ends(10)
        assert stream.retry is not None
        assert 1.0 <= stream.retry <= 5.0
    assert len({stream.retry for stream in streams}) > 1, "they do not all come back at once"
    process, server.process = server.process, None
    assert await asyncio.to_thread(process.wait, 15) == 0


@pytest.mark.faults
async def test_a_reader_that_reads_nothing_is_ended_and_costs_a_bounded_outbox(
    make_server: MakeServer, source: Open
) -> None:
    server = make_server({"HUBBUB_OUTBOX_BYTES": "65536"})
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    room = account.create_room("Loud")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    request = f"GET /api/topics/room:{room}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    writer.write(f"{request}Authorization: Bearer {account.token}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    opened = 'hubbub_connections{state="events"}'
    await eventually(lambda: server.metrics()[opened] == 1, 20, "the stream is open")
    while server.metrics()[opened]:
        await asyncio.to_thread(say, account, room, *(f"{'x' * 3_000} {uuid4()}" for _ in range(20)))
        assert server.metrics()["hubbub_outbox_largest_bytes"] <= 65_536
    writer.close()
    head = account.get(f"/api/topics/room:{room}/events", after=0, limit=1)["head"]
    stream = await source(account, f"room:{room}").open(after=1)
    await eventually(lambda: list(stream.seqs()) == list(range(2, head + 1)), 30, "a reader that reads gets it all")


@pytest.mark.faults
async def test_a_thousand_streams_take_bounded_memory_and_all_get_an_event(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_CONNECTIONS_PER_USER": "1000"})
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    room = account.create_room("Crowded")
    head = f"GET /api/topics/room:{room}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    request = f"{head}Authorization: Bearer {account.token}\r\n\r\n".encode()

    async def read(stop: bytes, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(120):
            await reader.readuntil(stop)

    async def opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request)
        await read(b"retry: 2000\nid: ", reader)
        return reader, writer

    streams = [await opened() for _ in range(50)]
    before = server.resident_bytes()
    for _ in range(19):
        streams += await asyncio.gather(*(opened() for _ in range(50)))
    each = (server.resident_bytes() - before) / 950
    assert each < 64 * 1024, f"{each:.0f} bytes"
    await asyncio.to_thread(say, account, room, "for all of you")
    await asyncio.gather(*(read(b"for all of you", reader) for reader, _ in streams))
    for _, writer in streams:
        writer.close()
