"""A client that sends its positions gets what is missing, or a reset."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.faults.load import FilledRoom
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
    filled = await FilledRoom(server, 5).filled()
    async with await filled.hello(None) as connection:
        assert connection.welcome["heads"][filled.topic] == filled.head == 7
        assert filled.of_topic(connection) == []
        await filled.say(1)
        await connection.ping()
        assert seqs(filled.of_topic(connection)) == [8]


@pytest.mark.parametrize("missing", [0, 1, 7, 200])
async def test_missing_events_follow_the_welcome_in_order(server: Server, missing: int) -> None:
    filled = await FilledRoom(server, 210).filled()
    async with await filled.hello({filled.topic: filled.head - missing}) as connection:
        assert seqs(filled.of_topic(connection)) == list(range(filled.head - missing + 1, filled.head + 1))
        assert not connection.of_type("reset")
        assert not connection.of_type("more")


async def test_more_than_200_missing_events_are_announced_and_paged(server: Server) -> None:
    filled = await FilledRoom(server, 450).filled()
    async with await filled.hello({filled.topic: 1}) as connection:
        (more,) = connection.of_type("more")
        assert more == {"type": "more", "topic": filled.topic, "head": filled.head}
        events = [frame for frame in filled.of_topic(connection) if "seq" in frame]
        assert len(events) <= 200
        while seqs(events)[-1] < more["head"]:
            page = await connection.command("events.since", topic=filled.topic, after=events[-1]["seq"], limit=77)
            assert 0 < len(page["events"]) <= 77
            assert page["head"] == filled.head
            events += page["events"]
    assert seqs(events) == list(range(2, filled.head + 1))
    assert not same_history(events, filled.creator.history(filled.room))


async def test_a_position_from_the_future_is_reset(server: Server) -> None:
    filled = await FilledRoom(server, 3).filled()
    async with await filled.hello({filled.topic: filled.head + 1}) as connection:
        (reset,) = connection.of_type("reset")
        assert reset == {"type": "reset", "topic": filled.topic, "head": filled.head, "floor": 1}
        assert [frame for frame in filled.of_topic(connection) if "seq" in frame] == []


async def test_another_epoch_resets_every_topic(server: Server) -> None:
    filled = await FilledRoom(server, 3).filled()
    personal = f"user:{filled.creator.id}"
    async with await filled.hello({filled.topic: 1, personal: 1}, epoch="another history") as connection:
        assert {frame["topic"] for frame in connection.of_type("reset")} == {filled.topic, personal}
        assert connection.welcome["epoch"] != "another history"
    async with await filled.hello({filled.topic: filled.head}, epoch=connection.welcome["epoch"]) as again:
        assert not again.of_type("reset")


async def test_a_position_in_a_foreign_room_returns_nothing_of_it(server: Server) -> None:
    filled = await FilledRoom(server, 3).filled()
    stranger = server.sign_up()
    async with await Connection.open(server.websocket_url, stranger.token, {filled.topic: 1}) as connection:
        await connection.ping()
        assert filled.topic not in connection.welcome["heads"]
        assert [frame for frame in filled.of_topic(connection) if "seq" in frame] == []
        for topic in (filled.topic, f"user:{filled.creator.id}"):
            with pytest.raises(RefusedError) as refused:
                await connection.command("events.since", topic=topic, after=0)
            assert refused.value.code in ("forbidden", "not_found")


async def test_welcome_names_every_topic_with_its_head_and_unread_count(server: Server) -> None:
    filled = await FilledRoom(server, 4).filled()
    reader = server.sign_up()
    reader.join(filled.room)
    await filled.say(2)
    async with await Connection.open(server.websocket_url, reader.token) as connection:
        welcome = connection.welcome
        assert set(welcome["heads"]) == {"room:1", filled.topic, f"user:{reader.id}", "site"}
        assert [room["id"] for room in welcome["rooms"]] == [1, filled.room]
        room = welcome["rooms"][1]
        assert room["head"] == welcome["heads"][filled.topic] == filled.head + 1
        assert (room["floor"], room["unread_count"]) == (6, 2), "the floor is the seq before the reader's own join"
        moved = await connection.command("room.read", room=filled.room, seq=room["head"])
        assert moved["topic"] == f"user:{reader.id}"
        assert await connection.command("room.read", room=filled.room, seq=room["head"] - 1) == {}
        await connection.ping()
        assert [event["unread_count"] for event in connection.of_type("room.read_moved")] == [0]


# -- events.since, over REST and WebSocket


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
async def test_rest_and_websocket_return_the_same_events(server: Server, parameters: dict[str, Any]) -> None:
    filled = await FilledRoom(server, 10).filled()
    async with await filled.hello(None) as connection:
        for topic in (filled.topic, f"user:{filled.creator.id}", "site"):
            live = await connection.command("events.since", topic=topic, **parameters)
            assert over_rest(filled.creator, topic, **parameters) == live
            if live.get("reset"):
                assert set(live) == {"epoch", "reset", "head", "floor"}
            else:
                assert set(live) == {"epoch", "events", "head", "more"}
                expected = range(parameters["after"] + 1, live["head"] + 1)[: parameters.get("limit", 200)]
                assert seqs(live["events"]) == list(expected)


async def test_events_since_resets_exactly_when_it_cannot_avoid_a_gap(server: Server) -> None:
    filled = await FilledRoom(server, 3).filled()
    async with await filled.hello(None) as connection:
        for after, is_reset in ((0, True), (1, False), (filled.head, False), (filled.head + 1, True)):
            page = await connection.command("events.since", topic=filled.topic, after=after)
            assert bool(page.get("reset")) == is_reset, (after, page)


async def test_members_cannot_read_events_from_before_their_own_join(server: Server) -> None:
    filled = await FilledRoom(server, 8).filled()
    late = server.sign_up()
    late.join(filled.room)
    joined = filled.head + 1
    async with await Connection.open(server.websocket_url, late.token) as connection:
        for after in (0, joined - 2):
            page = await connection.command("events.since", topic=filled.topic, after=after)
            assert page["reset"], page
            assert page["floor"] == joined - 1
        page = await connection.command("events.since", topic=filled.topic, after=joined - 1)
        assert [(event["type"], event["user"]) for event in page["events"]] == [("member.joined", late.id)]
        assert over_rest(late, filled.topic, after=0)["reset"]
    async with await Connection.open(server.websocket_url, late.token, {filled.topic: 1}) as again:
        await again.ping()
        assert [frame["topic"] for frame in again.of_type("reset")] == [filled.topic]


async def test_every_answer_with_state_carries_the_heads_it_was_read_at(server: Server) -> None:
    filled = await FilledRoom(server, 5).filled()
    room = filled.creator.get(f"/api/rooms/{filled.room}")
    assert room["heads"] == {filled.topic: filled.head}
    assert room["room"]["head"] == filled.head
    for path in ("messages", "members"):
        assert filled.creator.get(f"/api/rooms/{filled.room}/{path}")["heads"] == {filled.topic: filled.head}, path


async def test_history_is_paged_before_after_and_around_a_message(server: Server) -> None:
    filled = await FilledRoom(server, 30).filled()

    def page(**parameters: int) -> Frame:
        answer: Frame = filled.creator.get(f"/api/rooms/{filled.room}/messages", **parameters)
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
    assert [message["n"] for message in filled.creator.history(filled.room)] == list(range(1, 31))


# -- a client that reconnects again and again


async def coming_and_going(server: Server, break_rule: Callable[[Follower, str], None] | None = None) -> list[str]:
    """Disconnect a follower again and again while messages flow.

    Return what the checker finds in its view.
    """
    filled = await FilledRoom(server, 20).filled()
    follower = await Follower(server.websocket_url, filled.creator.token).start()
    try:
        for number in range(6):
            assert follower.connection is not None
            await follower.connection.abort()
            await filled.say(70 * number)
            if break_rule is not None:
                break_rule(follower, filled.topic)
            await eventually(
                lambda: follower.positions()[filled.topic] >= filled.head, 15, "the follower has caught up"
            )
        history = History()
        history.observe("the follower", {filled.topic: follower.events(filled.topic)}, follower.resets)
        found = disordered(history, Stored.read(server.database_url)) + history.resets
        assert follower.welcomes > 5
    finally:
        await follower.stop()
    return found


async def test_a_client_disconnected_again_and_again_misses_nothing(server: Server) -> None:
    assert not await coming_and_going(server)


async def test_control_a_client_that_skips_events_has_a_gap(server: Server) -> None:
    def skip(follower: Follower, topic: str) -> None:
        events = follower.events(topic)
        if len(events) > 5:
            del events[3]

    assert any("I3 gap" in sentence for sentence in await coming_and_going(server, skip))


# -- trimming


def age(server: Server, days: int) -> None:
    """Make all entries of a stopped server older, except for the newest room: the clock is trusted."""
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        newest = "(SELECT max(id) FROM rooms)"
        older = (days * 86_400_000,)
        connection.execute(f"UPDATE log SET at = at - ? WHERE topic <> 'room:' || {newest}", older)
        connection.execute(f"UPDATE messages SET at = at - ? WHERE room <> {newest}", older)


async def test_a_position_below_the_floor_is_reset_and_the_history_stays(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_RETENTION_DAYS": "30"})
    await asyncio.to_thread(server.start)
    filled = await FilledRoom(server, 30).filled()
    await asyncio.to_thread(filled.creator.create_room, "newer")
    await asyncio.to_thread(server.stop)
    age(server, 31)
    await asyncio.to_thread(server.start)
    follower = await Follower(server.websocket_url, filled.creator.token).start()

    def floor() -> int:
        value: int = over_rest(filled.creator, filled.topic, after=filled.head + 1)["floor"]
        return value

    await eventually(lambda: floor() == filled.head, 20, "all old entries are trimmed", every=0.2)
    assert over_rest(filled.creator, filled.topic, after=3) == {
        "epoch": follower.epoch, "reset": True, "head": filled.head, "floor": filled.head,
    }  # fmt: skip
    async with await filled.hello({filled.topic: 3}) as connection:
        assert filled.topic in [frame["topic"] for frame in connection.of_type("reset")]
    assert len(filled.creator.history(filled.room)) == 30
    await filled.say(3)
    await eventually(
        lambda: follower.positions()[filled.topic] == filled.head,
        10,
        "a client with a current position receives the new messages",
    )
    assert not follower.resets
    await follower.stop()
