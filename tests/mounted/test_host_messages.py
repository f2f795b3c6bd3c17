"""The host application posts, edits and deletes messages, as a bot or as a user."""

import asyncio
from pathlib import Path

import pytest

from hubbub import Hubbub, Identity
from hubbub.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from hubbub.host import BOTS
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket

ADA, BOB = Identity("app", "1", "Ada"), Identity("app", "2", "Bob")


async def sent(socket: Socket) -> dict[str, object]:
    """Return the next message that the client hears."""
    while (frame := await socket.hear())["type"] != "message.sent":
        pass
    return frame


async def bodies(chat: HostApp, room: int, token: str) -> list[str | None]:
    page = (await chat.ask("GET", f"/api/rooms/{room}/messages", token)).json()
    return [message["body"] for message in page["messages"]]


async def test_a_message_of_the_bot_reaches_a_member_at_once_with_its_mentions(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA])
    ada = await chat.hubbub.users.get(("app", "1"))
    assert ada is not None
    socket = Socket(chat.hubbub.app)
    await socket.greet("a")
    posted = await chat.hubbub.messages.post("order:42", "Shipped, @Ada", key="k1")
    heard = await sent(socket)
    assert (heard["body"], heard["name"], heard["key"]) == ("Shipped, @Ada", "Bot", "k1")
    assert heard["mentions"] == {"users": [ada.id], "room": False, "here": False}
    assert posted == (room.id, heard["seq"])
    await socket.leave()


async def test_a_message_can_be_that_of_a_user_named_in_any_way_and_reply_to_another(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA, BOB])
    ada, bob = [await chat.hubbub.users.get(each) for each in (ADA, ("app", "2"))]
    assert ada is not None
    assert bob is not None
    first = await chat.hubbub.messages.post(room, "one", by=ADA)
    await chat.hubbub.messages.post(room.id, "two", by=("app", "2"), reply_to=first.seq)
    await chat.hubbub.messages.post("order:42", "three", by=ada)
    await chat.hubbub.messages.post("order:42", "four", by=bob.id)
    chat.people = {"a": ADA}
    page = (await chat.ask("GET", f"/api/rooms/{room.id}/messages", "a")).json()["messages"]
    assert [(each["body"], each["by"]) for each in page] == [
        ("one", ada.id), ("two", bob.id), ("three", ada.id), ("four", bob.id),
    ]  # fmt: skip
    assert page[1]["reply_to"] == first.seq


async def test_a_key_posts_one_message_however_often_and_concurrently_it_is_sent(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA])
    post = chat.hubbub.messages.post
    answers = await asyncio.gather(*(post(room, "Shipped", key="shipped") for _ in range(20)))
    assert set(answers) == {await post(room, "Shipped", key="shipped")}
    assert await bodies(chat, room.id, "a") == ["Shipped"]
    with pytest.raises(Conflict, match="key"):
        await post(room, "Lost", key="shipped")
    await post(room, "Shipped", key="shipped", by=ADA)  # keys belong to their authors
    await post(room, "Shipped")
    await post(room, "Shipped")
    assert await bodies(chat, room.id, "a") == ["Shipped"] * 4


async def test_edits_and_deletions_are_those_of_the_author_or_of_the_bot_that_owns_the_room(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA, BOB])
    messages = chat.hubbub.messages
    of_ada, of_bot = await messages.post(room, "of Ada", by=ADA), await messages.post(room, "of the bot")
    await messages.edit(room, of_ada.seq, "of Ada, edited", by=ADA)
    await messages.edit(room, of_bot.seq, "of the bot, edited")
    assert await bodies(chat, room.id, "a") == ["of Ada, edited", "of the bot, edited"]
    with pytest.raises(Forbidden):
        await messages.edit(room, of_ada.seq, "of the bot?")
    with pytest.raises(Forbidden):
        await messages.delete(room, of_ada.seq, by=BOB)
    await messages.delete(room, of_ada.seq)
    await messages.delete(room, of_ada.seq)
    assert await bodies(chat, room.id, "a") == [None, "of the bot, edited"]
    with pytest.raises(Conflict, match="deleted"):
        await messages.edit(room, of_ada.seq, "again", by=ADA)


async def test_the_rules_of_the_chat_hold_for_the_host_application(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA])
    await chat.hubbub.users.provision(BOB)
    post = chat.hubbub.messages.post
    with pytest.raises(NotFound):
        await post(room, "I am no member", by=BOB)
    with pytest.raises(NotFound, match="room"):
        await post("order:43", "no such room")
    with pytest.raises(NotFound, match="user"):
        await post(room, "no such user", by=("app", "3"))
    with pytest.raises(NotFound):
        await post(room, "no such message", reply_to=999)
    for body, key in (("", None), ("text", "ключ"), ("text", "k" * 65)):
        with pytest.raises(BadRequest):
            await post(room, body, key=key)
    with pytest.raises((TooLarge, BadRequest)):
        await post(room, "x" * 8_001)
    for wrong in ((1, "2"), ("", "1"), ("app", "x" * 256)):
        with pytest.raises(ValueError, match="Identity"):
            await post(room, "text", by=wrong)  # type: ignore[arg-type]
    for key in ("", "k" * 256, "a\0b"):
        with pytest.raises(ValueError):
            await post(key, "text")
    with pytest.raises(TypeError):
        await post(None, "text")  # type: ignore[arg-type]
    await chat.hubbub.rooms.archive(room)
    with pytest.raises(Forbidden, match="archived"):
        await post(room, "too late")
    await chat.hubbub.rooms.restore(room)
    await chat.hubbub.users.disable(ADA)
    with pytest.raises(Forbidden, match="closed"):
        await post(room, "I am gone", by=ADA)


async def test_the_host_is_not_rate_limited_and_does_not_use_up_the_limit_of_its_users(
    tmp_path: Path, database_url: str
) -> None:
    chat = HostApp(tmp_path / "chat", database_url=database_url, rate_limits=True)
    chat.people = {"a": ADA}
    async with chat.hubbub.lifespan():
        room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA])
        for number in range(300):
            await chat.hubbub.messages.post(room, f"message {number}", by=ADA)

        async def post() -> int:
            answer = await chat.ask(
                "POST", f"/api/rooms/{room.id}/messages", "a", json={"key": f"k{next(numbers)}", "body": "hello"}
            )
            return answer.status_code

        numbers = iter(range(1_000))
        assert await post() == 201
        # The negative control: the same user does have a limit over REST.
        assert 429 in [await post() for _ in range(300)]


async def test_without_authenticate_the_host_posts_as_a_bot_or_by_user_id(tmp_path: Path) -> None:
    hubbub = Hubbub(data=tmp_path / "chat", name="Acme")
    async with hubbub.lifespan():
        bot = await hubbub.users.bot()
        assert (bot.name, bot.bot, bot.issuer, bot.subject) == ("Acme", True, BOTS, "host")
        room = await hubbub.rooms.room_for("order:42", name="Order 42")
        await hubbub.messages.post(room, "hello", by=bot.id)
        with pytest.raises(RuntimeError, match="authenticate"):
            await hubbub.users.provision(ADA)
