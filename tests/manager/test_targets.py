"""Whom a message reaches: users, topics of all types, exclusions; and what is refused."""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest

from hubbub import ConnectionManager
from hubbub.gateways.manager.names import Name, User, decode_name, encode_name
from tests.manager.peer import Connect, Peer
from tests.support.waiting import eventually


@pytest.fixture
def manager() -> ConnectionManager:
    return ConnectionManager()


@pytest.fixture
def connected(manager: ConnectionManager) -> Connect:
    async def connect(user: Name | None = None, *topics: Name) -> Peer:
        peer = Peer()
        await manager.connect(peer.socket, user=user)
        for topic in topics:
            manager.join(peer.socket, topic)
        return peer

    return connect


async def test_a_second_positional_argument_of_broadcast_is_refused_and_sends_nothing(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected(None, "room")
    for arguments in (("room", "text"), ("text", "room"), ("text", None), ("text", "room", None)):
        with pytest.raises(TypeError, match=r"broadcast\(message, topic=…, exclude=…\)"):
            await manager.broadcast(*arguments)
    await manager.broadcast("end")
    await manager.drained()
    assert peer.got == ["end"]


class Color(Enum):
    RED = 1


class Kind(StrEnum):
    NEWS = "news"


@pytest.mark.parametrize(
    "wrong",
    [True, 1.0, b"x", ("a",), [], None, Color.RED, object()],
    ids=lambda value: repr(value).partition(" at ")[0],
)
async def test_a_name_of_another_type_is_refused(manager: ConnectionManager, connected: Connect, wrong: Any) -> None:
    peer = await connected("ann")
    calls: list[Callable[[], Any]] = [
        lambda: manager.join(peer.socket, wrong),
        lambda: manager.leave(peer.socket, wrong),
        lambda: manager.close_topic(wrong),
        lambda: manager.close_user(wrong),
    ]
    if wrong is not None:
        calls += [
            lambda: manager.broadcast("x", topic=wrong),
            lambda: manager.connect(Peer().socket, user=wrong),
            lambda: manager.connections(user=wrong),
            lambda: manager.users(topic=wrong),
            lambda: manager.drained(topic=wrong),
        ]
    for call in calls:
        with pytest.raises(TypeError, match=r"is a str, an int or a UUID, not a .*str\(…\)"):
            await asyncio.ensure_future(_outcome(call))
    with pytest.raises(TypeError, match="to a WebSocket or a user"):
        await manager.send_personal_message("x", wrong)
    assert manager.topics() == {}
    assert len(manager.active_connections) == 1


async def _outcome(call: Callable[[], Any]) -> None:
    outcome = call()
    if asyncio.iscoroutine(outcome):
        await outcome


@pytest.mark.parametrize(
    "wrong",
    [True, 1.5, b"ann", [b"ann"], [None], [["ann"]], object()],
    ids=lambda value: repr(value).partition(" at ")[0],
)
async def test_a_wrong_exclusion_is_refused(manager: ConnectionManager, connected: Connect, wrong: Any) -> None:
    peer = await connected("ann")
    with pytest.raises(TypeError, match="exclude takes WebSockets and users"):
        await manager.broadcast("x", exclude=wrong)
    await manager.broadcast("end", exclude=[Peer().socket])
    await manager.drained()
    assert peer.got == ["end"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (None, TypeError), ({1, 2}, TypeError), (object(), TypeError), ({"at": datetime.now(UTC)}, TypeError),
        (math.nan, ValueError), ({"x": math.inf}, ValueError), ("\ud800", ValueError), ({"x": "\ud800"}, ValueError),
    ],
)  # fmt: skip
async def test_what_is_no_message_is_refused_and_reaches_nobody(
    manager: ConnectionManager, connected: Connect, message: Any, error: type[Exception]
) -> None:
    peer = await connected("ann", "room")
    calls: list[Callable[[], Any]] = [
        lambda: manager.broadcast(message),
        lambda: manager.broadcast(message, topic="room"),
        lambda: manager.send_personal_message(message, peer.socket),
        lambda: manager.send_personal_message(message, "ann"),
    ]
    for call in calls:
        with pytest.raises(error):
            await call()
    await manager.broadcast("end")
    await manager.drained()
    assert peer.got == ["end"]


async def test_names_that_look_alike_are_different_topics(manager: ConnectionManager, connected: Connect) -> None:
    number = uuid4()
    text, integer, identifier = [await connected(name, name) for name in ("1", 1, number)]
    as_text = await connected(str(number), str(number))
    await manager.broadcast("text", topic="1")
    await manager.broadcast("int", topic=1)
    await manager.send_personal_message("uuid", number)
    await manager.broadcast("enum", topic=Kind.NEWS)
    await manager.drained()
    assert [peer.got for peer in (text, integer, identifier, as_text)] == [["text"], ["int"], ["uuid"], []]
    manager.join(text.socket, "news")
    await manager.broadcast("enum", topic=Kind.NEWS)
    await manager.drained()
    assert text.got == ["text", "enum"]


async def test_a_topic_with_the_name_of_a_user_or_no_name_at_all_is_a_topic(
    manager: ConnectionManager, connected: Connect
) -> None:
    user, member = await connected("ann"), await connected(None, "ann", "")
    await manager.broadcast("topic", topic="ann")
    await manager.broadcast("empty", topic="")
    await manager.send_personal_message("user", "ann")
    await manager.drained()
    assert (user.got, member.got) == (["user"], ["topic", "empty"])
    assert manager.topics() == manager.topics(member.socket) == {"ann": 1, "": 1}
    assert manager.topics(user.socket) == {}


async def test_a_later_connect_names_another_user(manager: ConnectionManager, connected: Connect) -> None:
    peer = await connected()
    assert manager.user_of(peer.socket) is None
    await manager.connect(peer.socket, user="ann")
    await manager.connect(peer.socket)
    manager.add(peer.socket)
    assert manager.user_of(peer.socket) == "ann"
    manager.add(peer.socket, user="bob")
    await manager.send_personal_message("1", "ann")
    await manager.send_personal_message("2", "bob")
    await manager.drained()
    assert peer.got == ["2"]
    assert manager.users() == ["bob"]
    manager.disconnect(peer.socket)
    assert manager.users() == []
    assert manager._fanout._topics == {}
    assert manager.user_of(peer.socket) == "bob"
    assert manager.user_of(Peer().socket) is None


async def test_add_refuses_a_websocket_that_is_not_accepted_or_closed(manager: ConnectionManager) -> None:
    peer = Peer()
    with pytest.raises(RuntimeError, match="Use connect"):
        manager.add(peer.socket)
    await peer.socket.accept()
    manager.add(peer.socket)
    manager.add(peer.socket)
    assert manager.active_connections == [peer.socket]
    manager.disconnect(peer.socket)
    await peer.socket.close()
    with pytest.raises(RuntimeError, match="Use connect"):
        manager.add(peer.socket)


async def test_a_receive_that_waits_when_the_websocket_is_added_gets_its_message(manager: ConnectionManager) -> None:
    peer = Peer()
    await peer.socket.accept()
    reading = asyncio.create_task(peer.socket.receive_text())
    await asyncio.sleep(0)
    manager.add(peer.socket)
    for number in range(10):
        await manager.broadcast(str(number))
        await manager.drained()
    assert len(asyncio.all_tasks()) == 2, "the manager does not receive beside the endpoint"
    peer.says("1")
    peer.says("2")
    assert [await reading, await peer.socket.receive_text()] == ["1", "2"]


async def test_an_excluded_websocket_gets_what_was_sent_before_and_after_in_order(
    manager: ConnectionManager, connected: Connect
) -> None:
    one, two = await connected("ann", "room"), await connected("bob", "room")
    for number in range(0, 30, 3):
        await manager.broadcast(str(number), topic="room")
        await manager.broadcast(str(number + 1), topic="room", exclude=one.socket)
        await manager.send_personal_message(str(number + 2), one.socket)
        if number % 2:
            await asyncio.sleep(0)
    await manager.drained()
    assert one.got == [str(number) for number in range(30) if number % 3 != 1]
    assert two.got == [str(number) for number in range(30) if number % 3 != 2]


@pytest.mark.parametrize("name", ["", "ann", "Ä\n", 0, -17, 2**100, UUID(int=5)])
def test_names_survive_the_way_to_another_process(name: Name) -> None:
    assert decode_name(encode_name(name)) == name
    assert type(decode_name(encode_name(name))) is type(name)


@pytest.mark.parametrize("encoded", [[], "x", ["str"], ["str", 1], ["float", "1"], ["int", "x"], ["uuid", "1"], None])
def test_what_is_no_name_is_refused(encoded: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode_name(encoded)


def test_a_user_is_never_equal_to_a_topic() -> None:
    different: list[object] = ["1", 1, User("1"), User(1)]
    assert len(set(different)) == 4


async def test_hooks_hear_of_all_who_join_and_leave(
    manager: ConnectionManager, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[object] = []

    @manager.on_joined
    def joined(websocket: object, topic: Name | None) -> None:
        heard.append(("joined", manager.user_of(websocket), topic))  # type: ignore[arg-type]

    @manager.on_left
    async def left(websocket: object, topic: Name | None) -> None:
        await asyncio.sleep(0)
        heard.append(("left", manager.user_of(websocket), topic))  # type: ignore[arg-type]

    @manager.on_left
    @manager.on_joined
    def broken(websocket: object, topic: Name | None) -> None:
        raise LookupError("a broken hook")

    @manager.on_joined
    async def broken_later(websocket: object, topic: Name | None) -> None:
        raise LookupError("a hook that is broken later")

    peer, gone = Peer(), Peer()
    await manager.connect(peer.socket, user="ann")
    manager.join(peer.socket, 5)
    manager.join(peer.socket, 5)
    manager.leave(peer.socket, 5)
    manager.leave(peer.socket, 5)
    manager.join(peer.socket, "a")
    manager.disconnect(peer.socket)
    manager.disconnect(peer.socket)
    await asyncio.create_task(manager.connect(gone.socket, user="bob"))
    gone.dead = True
    await manager.broadcast("x")
    expected = [
        ("joined", "ann", None), ("joined", "ann", 5), ("joined", "ann", "a"), ("joined", "bob", None),
        ("left", "ann", 5), ("left", "ann", "a"), ("left", "ann", None), ("left", "bob", None),
    ]  # fmt: skip
    await eventually(lambda: len(heard) >= 8, 20, "all hooks are called")
    assert [each for each in heard if each[0] == "joined"] == expected[:4]  # type: ignore[index]
    assert [each for each in heard if each[0] == "left"] == expected[4:]  # type: ignore[index]
    assert "a broken hook" in caplog.text
    assert "a hook that is broken later" in caplog.text
    await eventually(lambda: not manager._leaving, 20, "what waited for hooks is released")


async def test_the_hook_for_slow_clients_hears_before_the_endpoint_does() -> None:
    manager, heard = ConnectionManager(outbox_bytes=2_000), list[object]()

    @manager.on_slow
    def slow(websocket: object, waiting: int) -> None:
        heard.append((websocket, waiting))

    @manager.on_left
    def left(websocket: object, topic: Name | None) -> None:
        heard.append("left")

    peer = Peer()
    await manager.connect(peer.socket)
    peer.reads.clear()

    async def endpoint() -> None:
        try:
            await peer.socket.receive_text()
        except Exception:
            heard.append("ended")

    reading = asyncio.create_task(endpoint())
    await manager.broadcast("first")
    await asyncio.sleep(0)
    await manager.broadcast("x" * 10_000)
    await reading
    assert heard == [(peer.socket, 10_005), "left", "ended"]
