"""Callbacks of the host application get every event at least once, also after a restart."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hubbub.domain.model import SYSTEM
from hubbub.engine import follower
from hubbub.errors import HubbubError
from hubbub.features.followers import dead_letters
from hubbub.host import Event
from hubbub.storage import followers
from tests.mounted.host_app import HostApp
from tests.support.waiting import eventually

DEADLINE = 60.0
NewChat = Callable[[], HostApp]


@pytest.fixture
def new_chat(tmp_path: Path, database_url: str) -> NewChat:
    """Return a factory of host applications on one database that are not started."""
    return lambda: HostApp(tmp_path / "chat", database_url=database_url)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr("hubbub.engine.follower_runner.STORE_BACKOFF", 0.05)


async def test_coroutine_functions_and_plain_functions_get_the_events_of_their_types_in_order(
    new_chat: NewChat,
) -> None:
    chat = new_chat()
    seen: list[str] = []
    seen_on_threads: list[tuple[str, bool]] = []

    @chat.hubbub.on("message.sent")
    async def note(event: Event) -> None:
        seen.append(event.data["body"])

    @chat.hubbub.on("message.sent", "message.deleted", name="plain-note")
    def note_plainly(event: Event) -> None:
        seen_on_threads.append((event.type, threading.current_thread() is threading.main_thread()))

    async with chat.hubbub.lifespan():
        await chat.hubbub.rooms.room_for("order:42", name="Order 42")
        for number in range(30):
            posted = await chat.hubbub.messages.post("order:42", f"message {number}")
        await chat.hubbub.messages.delete("order:42", posted.seq)
        await eventually(lambda: len(seen) == 30 and len(seen_on_threads) == 31, DEADLINE, "all events are handled")
        assert [body for body in seen if body is not None][:29] == [f"message {number}" for number in range(29)]
        assert [kind for kind, _ in seen_on_threads] == ["message.sent"] * 30 + ["message.deleted"]
        assert not any(main for _, main in seen_on_threads)


async def test_a_failure_is_repeated_before_later_events_of_the_room_and_others_go_on(new_chat: NewChat) -> None:
    chat = new_chat()
    seen: list[str] = []
    failures = iter(range(2))

    @chat.hubbub.on("message.sent")
    async def note(event: Event) -> None:
        if event.data["body"] == "bad" and next(failures, None) is not None:
            raise RuntimeError("not yet")
        seen.append(event.data["body"])

    async with chat.hubbub.lifespan():
        for room in ("1", "2"):
            await chat.hubbub.rooms.room_for(room, name=room)
        for room, body in (("1", "first"), ("1", "bad"), ("1", "later"), ("2", "other")):
            await chat.hubbub.messages.post(room, body)
        await eventually(lambda: len(seen) == 4, DEADLINE, "all events are handled")
    assert [body for body in seen if body != "other"] == ["first", "bad", "later"]


async def test_an_event_that_always_fails_becomes_a_dead_letter_that_staff_sees(
    new_chat: NewChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.host.events.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("hubbub.host.events.TIMEOUT", 0.2)
    chat = new_chat()
    seen: list[str] = []

    @chat.hubbub.on("message.sent", name="note")
    async def hang_on_some(event: Event) -> None:
        if event.data["body"] == "bad":
            await asyncio.Event().wait()
        seen.append(event.data["body"])

    async with chat.hubbub.lifespan():
        await chat.hubbub.rooms.room_for("1", name="1")
        for body in ("bad", "good"):
            await chat.hubbub.messages.post("1", body)
        await eventually(lambda: seen == ["good"], DEADLINE, "the next event is handled")
        read = chat.hubbub._host.read
        (letter,) = await read(dead_letters, SYSTEM, "host:note", "", 10)
        assert (letter.seq, letter.reason) == (3, "TimeoutError")


async def test_what_happens_while_the_program_is_down_is_handled_at_its_next_start(new_chat: NewChat) -> None:
    seen: list[str] = []

    def declare(chat: HostApp) -> None:
        chat.hubbub.on("message.sent", name="note")(lambda event: seen.append(event.data["body"]))

    first = new_chat()
    declare(first)
    async with first.hubbub.lifespan():
        await first.hubbub.rooms.room_for("1", name="1")
        await first.hubbub.messages.post("1", "one")
        await eventually(lambda: seen == ["one"], DEADLINE, "the first event is handled")
    second = new_chat()  # without the callback
    async with second.hubbub.lifespan():
        await second.hubbub.messages.post("1", "two")
        await second.hubbub.rooms.room_for("2", name="2")
        await second.hubbub.messages.post("2", "three")
    third = new_chat()
    declare(third)
    async with third.hubbub.lifespan():
        await eventually(lambda: {"two", "three"} <= set(seen), DEADLINE, "the missed events are handled")
    assert sorted(seen) == ["one", "three", "two"]


async def test_a_callback_that_a_stop_interrupts_gets_its_event_again(new_chat: NewChat) -> None:
    calls: list[str] = []
    chat = new_chat()

    @chat.hubbub.on("message.sent")
    async def wait_the_first_time(event: Event) -> None:
        calls.append(event.data["body"])
        if len(calls) == 1:
            await asyncio.Event().wait()

    async with chat.hubbub.lifespan():
        await chat.hubbub.rooms.room_for("1", name="1")
        await chat.hubbub.messages.post("1", "one")
        await eventually(lambda: calls == ["one"], DEADLINE, "the callback runs")
    async with chat.hubbub.lifespan():
        await eventually(lambda: calls == ["one", "one"], DEADLINE, "the event comes again")


async def test_a_callback_can_post_and_its_position_can_be_forgotten(new_chat: NewChat) -> None:
    chat = new_chat()

    @chat.hubbub.on("message.sent", name="echo")
    async def echo(event: Event) -> None:
        bot = await chat.hubbub.users.bot()
        if event.data["by"] != bot.id:
            await chat.hubbub.messages.post(event.room or 0, "echo", key=f"echo-{event.seq}")

    async with chat.hubbub.lifespan():
        speaker = await chat.hubbub.users.bot("speaker")
        room = await chat.hubbub.rooms.room_for("1", name="1", members=[speaker])
        events = chat.hubbub.events(room, after=3)  # after its creation and its two members
        reading = asyncio.create_task(anext(events))
        await chat.hubbub.messages.post(room, "hello", by=speaker)
        assert {(await reading).data["body"], (await anext(events)).data["body"]} == {"hello", "echo"}
        with pytest.raises(ValueError, match="declared"):
            await chat.hubbub.forget_callback("echo")
    later = new_chat()
    async with later.hubbub.lifespan():
        assert "host:echo" in await stored(later)
        await later.hubbub.forget_callback("echo")
        await later.hubbub.forget_callback("echo")
        assert "host:echo" not in await stored(later)


async def stored(chat: HostApp) -> list[str]:
    found = await chat.hubbub._host.read(followers.listing, "", 100)
    return [each.name for each in found]


async def test_declarations_that_cannot_work_are_refused(new_chat: NewChat) -> None:
    hubbub = new_chat().hubbub
    for types in ((), ("message.sand",), ("read.moved",)):
        with pytest.raises(ValueError, match="types"):
            hubbub.on(*types)
    with pytest.raises(ValueError, match="name"):
        hubbub.on("message.sent")(lambda event: None)
    for name in ("", "a b", "x" * 60):
        with pytest.raises(ValueError, match="name"):
            hubbub.on("message.sent", name=name)(print)
    hubbub.on("message.sent", name="note")(print)
    with pytest.raises(ValueError, match="two"):
        hubbub.on("message.edited", name="note")(print)
    with pytest.raises(RuntimeError):
        await hubbub.forget_callback("another")
    async with hubbub.lifespan():
        with pytest.raises(RuntimeError, match="before"):
            hubbub.on("message.sent", name="late")
        with pytest.raises(ValueError, match="name"):
            await hubbub.forget_callback("a b")
        assert not issubclass(RuntimeError, HubbubError)
