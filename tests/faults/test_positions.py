"""Positions: whoever says what he has gets what is missing, or is told to reset; never a silent gap."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.faults.load import Place
from tests.support.checker import History, Stored, disordered, same_history
from tests.support.client import Connection, Frame, RefusedError
from tests.support.follower import Follower
from tests.support.server import Account, Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


def seqs(frames: list[Frame]) -> list[int]:
    return [frame["seq"] for frame in frames]


# -- hello with `have`


async def test_a_topic_without_a_position_starts_at_its_head(server: Server) -> None:
    place = await Place(server, 5).filled()
    async with await place.hello(None) as connection:
        assert connection.welcome["heads"][place.topic] == place.head == 7
        assert place.of_topic(connection) == []
        await place.say(1)
        await connection.ping()
        assert seqs(place.of_topic(connection)) == [8]


@pytest.mark.parametrize("missing", [0, 1, 7, 200])
async def test_what_is_missing_comes_after_welcome_in_order(server: Server, missing: int) -> None:
    place = await Place(server, 210).filled()
    async with await place.hello({place.topic: place.head - missing}) as connection:
        assert seqs(place.of_topic(connection)) == list(range(place.head - missing + 1, place.head + 1))
        assert not connection.of_type("reset")
        assert not connection.of_type("more")


async def test_more_than_200_missing_are_announced_and_paged(server: Server) -> None:
    place = await Place(server, 450).filled()
    async with await place.hello({place.topic: 1}) as connection:
        (more,) = connection.of_type("more")
        assert more == {"type": "more", "topic": place.topic, "head": place.head}
        events = [frame for frame in place.of_topic(connection) if "seq" in frame]
        assert len(events) <= 200
        while seqs(events)[-1] < more["head"]:
            page = await connection.command("events.since", topic=place.topic, after=events[-1]["seq"], limit=77)
            assert 0 < len(page["events"]) <= 77
            assert page["head"] == place.head
            events += page["events"]
    assert seqs(events) == list(range(2, place.head + 1))
    assert not same_history(events, place.creator.history(place.room))


async def test_a_position_from_the_future_is_reset(server: Server) -> None:
    place = await Place(server, 3).filled()
    async with await place.hello({place.topic: place.head + 1}) as connection:
        (reset,) = connection.of_type("reset")
        assert reset == {"type": "reset", "topic": place.topic, "head": place.head, "floor": 1}
        assert [frame for frame in place.of_topic(connection) if "seq" in frame] == []


async def test_another_epoch_resets_every_topic(server: Server) -> None:
    place = await Place(server, 3).filled()
    personal = f"user:{place.creator.id}"
    async with await place.hello({place.topic: 1, personal: 1}, epoch="another history") as connection:
        assert {frame["topic"] for frame in connection.of_type("reset")} == {place.topic, personal}
        assert connection.welcome["epoch"] != "another history"
    async with await place.hello({place.topic: place.head}, epoch=connection.welcome["epoch"]) as again:
        assert not again.of_type("reset")


async def test_a_position_in_a_foreign_room_brings_nothing_of_it(server: Server) -> None:
    place = await Place(server, 3).filled()
    stranger = server.sign_up()
    async with await Connection.open(server.websocket_url, stranger.token, {place.topic: 1}) as connection:
        await connection.ping()
        assert place.topic not in connection.welcome["heads"]
        assert [frame for frame in place.of_topic(connection) if "seq" in frame] == []
        for topic in (place.topic, f"user:{place.creator.id}"):
            with pytest.raises(RefusedError) as refused:
                await connection.command("events.since", topic=topic, after=0)
            assert refused.value.code in ("forbidden", "not_found")


async def test_welcome_names_every_topic_with_its_head_and_the_unread(server: Server) -> None:
    place = await Place(server, 4).filled()
    reader = server.sign_up()
    reader.join(place.room)
    await place.say(2)
    async with await Connection.open(server.websocket_url, reader.token) as connection:
        welcome = connection.welcome
        assert set(welcome["heads"]) == {"room:1", place.topic, f"user:{reader.id}", "site"}
        assert [room["id"] for room in welcome["rooms"]] == [1, place.room]
        room = welcome["rooms"][1]
        assert room["head"] == welcome["heads"][place.topic] == place.head + 1
        assert (room["floor"], room["unread"]) == (6, 2), "the floor is what came before the reader's own joining"
        moved = await connection.command("room.read", room=place.room, seq=room["head"])
        assert moved["topic"] == f"user:{reader.id}"
        assert await connection.command("room.read", room=place.room, seq=room["head"] - 1) == {}
        await connection.ping()
        assert [event["unread"] for event in connection.of_type("read.moved")] == [0]


# -- events.since, over both doors


def over_rest(account: Account, topic: str, **parameters: Any) -> Frame:
    answer: Frame = account.get(f"/api/topics/{topic}/events", **parameters)
    return answer


@pytest.mark.parametrize(
    "parameters",
    [
        {"after": 0}, {"after": 1, "limit": 3}, {"after": 12}, {"after": 13}, {"after": 5, "limit": 200},
        {"after": 2, "epoch": "another history"}, {"after": 10_000},
    ],
)  # fmt: skip
async def test_rest_and_websocket_answer_the_same(server: Server, parameters: dict[str, Any]) -> None:
    place = await Place(server, 10).filled()
    async with await place.hello(None) as connection:
        for topic in (place.topic, f"user:{place.creator.id}", "site"):
            live = await connection.command("events.since", topic=topic, **parameters)
            assert over_rest(place.creator, topic, **parameters) == live
            if live.get("reset"):
                assert set(live) == {"epoch", "reset", "head", "floor"}
            else:
                assert set(live) == {"epoch", "events", "head"}
                expected = range(parameters["after"] + 1, live["head"] + 1)[: parameters.get("limit", 200)]
                assert seqs(live["events"]) == list(expected)


async def test_reset_exactly_when_there_is_no_way_without_a_hole(server: Server) -> None:
    place = await Place(server, 3).filled()
    async with await place.hello(None) as connection:
        for after, is_reset in ((0, True), (1, False), (place.head, False), (place.head + 1, True)):
            page = await connection.command("events.since", topic=place.topic, after=after)
            assert bool(page.get("reset")) == is_reset, (after, page)


async def test_nobody_reads_events_from_before_his_own_joining(server: Server) -> None:
    place = await Place(server, 8).filled()
    late = server.sign_up()
    late.join(place.room)
    joined = place.head + 1
    async with await Connection.open(server.websocket_url, late.token) as connection:
        for after in (0, joined - 2):
            page = await connection.command("events.since", topic=place.topic, after=after)
            assert page["reset"], page
            assert page["floor"] == joined - 1
        page = await connection.command("events.since", topic=place.topic, after=joined - 1)
        assert [(event["type"], event["user"]) for event in page["events"]] == [("member.joined", late.id)]
        assert over_rest(late, place.topic, after=0)["reset"]
    async with await Connection.open(server.websocket_url, late.token, {place.topic: 1}) as again:
        await again.ping()
        assert [frame["topic"] for frame in again.of_type("reset")] == [place.topic]


async def test_every_answer_with_state_carries_the_heads_it_was_read_at(server: Server) -> None:
    place = await Place(server, 5).filled()
    room = place.creator.get(f"/api/rooms/{place.room}")
    assert room["heads"] == {place.topic: place.head}
    assert room["room"]["head"] == place.head
    for path in ("messages", "members"):
        assert place.creator.get(f"/api/rooms/{place.room}/{path}")["heads"] == {place.topic: place.head}, path


async def test_history_pages_before_after_and_around(server: Server) -> None:
    place = await Place(server, 30).filled()

    def page(**parameters: int) -> Frame:
        answer: Frame = place.creator.get(f"/api/rooms/{place.room}/messages", **parameters)
        return answer

    newest = page(limit=10)
    assert seqs(newest["messages"]) == list(range(23, 33))
    assert newest["more"] == {"before": True, "after": False}
    older = page(before=23, limit=10)
    assert seqs(older["messages"]) == list(range(13, 23))
    assert older["more"] == {"before": True, "after": True}
    oldest = page(before=13, limit=10)
    assert seqs(oldest["messages"]) == list(range(3, 13))
    assert oldest["more"]["before"] is False
    newer = page(after=30, limit=10)
    assert seqs(newer["messages"]) == [31, 32]
    around = seqs(page(around=15, limit=5)["messages"])
    assert len(around) == 5
    assert 15 in around
    assert [message["n"] for message in place.creator.history(place.room)] == list(range(1, 31))


# -- a reader that comes and goes


async def coming_and_going(server: Server, break_rule: Callable[[Follower, str], None] | None = None) -> list[str]:
    """A follower is cut off again and again while messages flow; the checker's view of what it put together."""
    place = await Place(server, 20).filled()
    follower = await Follower(server.websocket_url, place.creator.token).start()
    try:
        for number in range(6):
            assert follower.connection is not None
            await follower.connection.abort()
            await place.say(70 * number)
            if break_rule is not None:
                break_rule(follower, place.topic)
            await eventually(lambda: follower.positions()[place.topic] >= place.head, 15, "the follower has caught up")
        history = History()
        history.observe("the follower", {place.topic: follower.events(place.topic)}, follower.resets)
        found = disordered(history, Stored.read(server.database_url)) + history.resets
        assert follower.welcomes > 5
    finally:
        await follower.stop()
    return found


async def test_a_reader_cut_off_again_and_again_misses_nothing(server: Server) -> None:
    assert not await coming_and_going(server)


async def test_control_a_reader_that_skips_is_found_out(server: Server) -> None:
    def skip(follower: Follower, topic: str) -> None:
        events = follower.events(topic)
        if len(events) > 5:
            del events[3]

    assert any("I3 gap" in sentence for sentence in await coming_and_going(server, skip))


# -- trimming


def age(server: Server, days: int) -> None:
    """Make everything in the log of a stopped server older than it is."""
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE log SET at = at - ?", (days * 86_400_000,))


async def test_a_position_below_the_floor_is_reset_and_the_history_stays(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_RETENTION_DAYS": "30"})
    await asyncio.to_thread(server.start)
    place = await Place(server, 30).filled()
    await asyncio.to_thread(server.stop)
    age(server, 31)
    await asyncio.to_thread(server.start)
    follower = await Follower(server.websocket_url, place.creator.token).start()

    def floor() -> int:
        value: int = over_rest(place.creator, place.topic, after=place.head + 1)["floor"]
        return value

    await eventually(lambda: floor() == place.head, 20, "everything old is trimmed", every=0.2)
    assert over_rest(place.creator, place.topic, after=3) == {
        "epoch": follower.epoch, "reset": True, "head": place.head, "floor": place.head,
    }  # fmt: skip
    async with await place.hello({place.topic: 3}) as connection:
        assert place.topic in [frame["topic"] for frame in connection.of_type("reset")]
    assert len(place.creator.history(place.room)) == 30
    await place.say(3)
    await eventually(lambda: follower.positions()[place.topic] == place.head, 10, "who was there hears on")
    assert not follower.resets
    await follower.stop()
