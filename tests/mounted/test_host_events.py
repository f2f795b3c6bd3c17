"""The host application reads the log from a position, without gaps, until the server stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from hubbub import Identity
from hubbub.domain.commands import TrimTopic
from hubbub.domain.model import SYSTEM
from hubbub.errors import NotFound, PositionLost
from hubbub.gateways.http.event_stream import end_streams
from hubbub.host import Event, Position
from hubbub.host.events import Events
from tests.mounted.host_app import HostApp
from tests.support.waiting import eventually

ADA = Identity("app", "1", "Ada")
WITHIN = 30.0
T = TypeVar("T")


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(WITHIN):
        return [await anext(events) for _ in range(count)]


async def within(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(WITHIN):
        return await awaitable


async def waiting(events: Events) -> None:
    """Wait until an iterator has read the log once: it then waits for new entries."""
    await eventually(lambda: events._epoch is not None, WITHIN, "it waits")


async def test_every_event_comes_once_and_in_order_while_many_are_posted(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    events = chat.hubbub.events("order:42", after=0)
    posting = asyncio.create_task(post_all(chat, room.id, 300))
    found = await take(events, 302)
    await posting
    assert [event.seq for event in found] == list(range(1, 303))
    assert [event.type for event in found[:2]] == ["room.created", "member.joined"]
    assert sorted(event.data["body"] for event in found[2:]) == sorted(f"message {number}" for number in range(300))
    assert {(event.topic, event.room) for event in found} == {(f"room:{room.id}", room.id)}
    assert found[0].at.tzinfo is not None
    last = found[-1].position
    await chat.hubbub.messages.post(room, "one more")
    (more,) = await take(chat.hubbub.events(room, after=last), 1)
    assert (more.data["body"], more.seq) == ("one more", 303)


async def post_all(chat: HostApp, room: int, count: int) -> None:
    await asyncio.gather(*(chat.hubbub.messages.post(room, f"message {number}") for number in range(count)))


async def test_without_a_position_only_new_events_come(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    await chat.hubbub.messages.post(room, "old")
    events = chat.hubbub.events(room)
    reading = asyncio.create_task(take(events, 1))
    await waiting(events)
    await chat.hubbub.messages.post(room, "new")
    (event,) = await reading
    assert event.data["body"] == "new"


async def test_a_break_loses_nothing_and_needs_no_closing(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    await chat.hubbub.messages.post(room, "one")
    await chat.hubbub.messages.post(room, "two")
    events = chat.hubbub.events(room, after=2)
    seen = []
    for _ in range(2):
        async for event in events:
            seen.append(event.data["body"])
            break
    assert seen == ["one", "two"]
    hub = chat.hubbub._host.services.hub
    assert not hub._head_watchers


async def test_a_cancelled_wait_loses_nothing(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    events = chat.hubbub.events(room, after=2)
    reading = asyncio.create_task(take(events, 1))
    await waiting(events)
    reading.cancel()
    await asyncio.wait({reading})
    await chat.hubbub.messages.post(room, "hello")
    assert [event.data["body"] for event in await take(events, 1)] == ["hello"]


async def test_topics_of_the_site_and_of_a_user_can_be_read(chat: HostApp) -> None:
    await chat.hubbub.rooms.room_for("faq", name="FAQ", kind="public")
    (created,) = await take(chat.hubbub.events(topic="site", after=0), 1)
    assert (created.type, created.room) == ("room.created", None)
    bot = await chat.hubbub.users.bot()
    (added, *_) = await take(chat.hubbub.events(topic=f"user:{bot.id}", after=0), 2)
    assert added.type == "room.added"


async def test_a_position_that_the_log_no_longer_has_is_an_error_that_says_where_it_goes_on(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    topic, hubbub = f"room:{room.id}", chat.hubbub
    await hubbub.messages.post(room, "old")
    (first,) = await take(hubbub.events(room, after=0), 1)
    services = hubbub._host.services
    await services.journal.submit(TrimTopic(topic=topic, before=services.clock.now() + 60_000), SYSTEM)
    with pytest.raises(PositionLost) as lost:
        await within(anext(hubbub.events(room, after=first.position)))
    assert (lost.value.topic, lost.value.position) == (topic, Position(first.position.epoch, 3))
    await hubbub.messages.post(room, "new")
    assert [event.data["body"] for event in await take(hubbub.events(room, after=lost.value.position), 1)] == ["new"]
    with pytest.raises(PositionLost) as lost:  # of another history
        await within(anext(hubbub.events(room, after=Position("0123456789abcdef", 1))))
    assert lost.value.position == Position(first.position.epoch, 4)
    with pytest.raises(PositionLost):  # above the head
        await within(anext(hubbub.events(room, after=99)))


async def test_what_does_not_exist_or_is_malformed_is_refused(chat: HostApp) -> None:
    with pytest.raises(NotFound):
        await within(anext(chat.hubbub.events("order:42")))
    with pytest.raises(NotFound):
        await within(anext(chat.hubbub.events(topic="room:999")))
    with pytest.raises(ValueError, match="topic"):
        chat.hubbub.events(topic="security")
    for room, topic in ((None, None), (1, "site")):
        with pytest.raises(TypeError):
            chat.hubbub.events(room, topic=topic)


async def test_iterators_end_with_the_server_and_go_on_at_their_position_after_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    chat = HostApp(tmp_path / "chat", database_url=database_url)
    async with chat.hubbub.lifespan():
        room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
        events = chat.hubbub.events(room, after=0)
        seen = await take(events, 2)
        reading = asyncio.create_task(collect(events))
        await eventually(lambda: bool(chat.hubbub._host.services.hub._head_watchers), WITHIN, "it waits")
    assert await within(reading) == []
    async with chat.hubbub.lifespan():
        await chat.hubbub.messages.post("order:42", "after the restart")
        (event,) = await take(chat.hubbub.events("order:42", after=seen[-1].position), 1)
        assert event.data["body"] == "after the restart"


async def test_iterators_end_when_the_server_is_told_to_stop_before_its_requests_have_ended(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")

    events = chat.hubbub.events(room)
    reading = asyncio.create_task(collect(events))
    await waiting(events)
    end_streams(chat.hubbub._host.services)  # as at SIGTERM under uvicorn
    assert await within(reading) == []


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]
