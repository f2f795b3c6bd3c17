"""Unit tests of programs, which give the manager mocks and hand-written fakes instead of WebSockets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import AsyncMock, MagicMock, call

import pytest
from pydantic import BaseModel
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub import ConnectionManager
from hubbub.gateways.manager import pace, sockets
from tests.manager.peer import Peer

Fake = Any


class Handwritten:
    """The fake of a program: two methods, and no scope."""

    def __init__(self) -> None:
        self.accept = AsyncMock()
        self.send_text = AsyncMock()
        self.send_json = AsyncMock()
        self.close = AsyncMock()


@dataclass
class Unhashable:
    """A fake that is a dataclass, and has no hash."""

    accept: AsyncMock = field(default_factory=AsyncMock)
    send_text: AsyncMock = field(default_factory=AsyncMock)
    send_json: AsyncMock = field(default_factory=AsyncMock)
    close: AsyncMock = field(default_factory=AsyncMock)


def patched() -> WebSocket:
    """Return a WebSocket with methods that a test has replaced."""
    socket = Peer().socket
    for name in ("accept", "send_text", "send_json", "close"):
        setattr(socket, name, AsyncMock())
    return socket


def accepted() -> Fake:
    """Return a mock with the state of an accepted WebSocket."""
    mock = AsyncMock(spec=WebSocket)
    mock.application_state = mock.client_state = WebSocketState.CONNECTED
    return mock


FAKES: dict[str, Callable[[], Fake]] = {
    "AsyncMock": AsyncMock,
    "AsyncMock with a spec": lambda: AsyncMock(spec=WebSocket),
    "MagicMock": MagicMock,
    "MagicMock with a spec": lambda: MagicMock(spec=WebSocket),
    "hand-written": Handwritten,
    "a dataclass": Unhashable,
    "patched": patched,
}
each_fake = pytest.mark.parametrize("make", FAKES.values(), ids=FAKES)


@pytest.fixture
def manager() -> ConnectionManager:
    return ConnectionManager()


@each_fake
async def test_a_program_that_connects_broadcasts_and_disconnects_may_assert_at_once(
    manager: ConnectionManager, make: Callable[[], Fake]
) -> None:
    one, two = make(), make()
    for fake in (one, two):
        await manager.connect(fake)
        fake.accept.assert_called_once_with()
        assert fake in manager.active_connections
    assert manager.active_connections == [one, two]
    assert len(manager.active_connections) == 2
    await manager.broadcast("hello")
    for fake in (one, two):
        fake.send_text.assert_called_once_with("hello")
    await manager.send_personal_message("you", one)
    assert one.send_text.call_args_list == [call("hello"), call("you")]
    assert two.send_text.call_args_list == [call("hello")]
    manager.disconnect(one)
    assert manager.active_connections == [two]
    assert one not in manager.active_connections
    await manager.broadcast("bye")
    assert one.send_text.call_count == 2
    two.send_text.assert_called_with("bye")
    manager.disconnect(two)
    manager.disconnect(two)
    assert manager.active_connections == []


@each_fake
async def test_a_program_with_the_new_methods_may_assert_at_once(
    manager: ConnectionManager, make: Callable[[], Fake]
) -> None:
    one, two = make(), make()
    await manager.connect(one, "chat", user="ann")
    one.accept.assert_called_once_with(subprotocol="chat")
    if type(two) is WebSocket:
        two.application_state = WebSocketState.CONNECTED
    manager.add(two, user=7)
    two.accept.assert_not_called()
    manager.join(one, "room")
    await manager.broadcast({"n": 1}, topic="room")
    one.send_json.assert_called_once_with({"n": 1})
    await manager.broadcast("2", exclude=one)
    two.send_text.assert_called_once_with("2")
    await manager.send_personal_message(["3"], 7)
    two.send_json.assert_called_once_with(["3"])
    assert manager.connections(user="ann") == [one]
    assert manager.users() == ["ann", 7]
    await manager.close_user("ann", 4001, "closed")
    await manager.drained()
    one.close.assert_called_once_with(code=4001, reason="closed")
    assert manager.active_connections == [two]
    assert one.send_text.call_count == 0


async def test_a_fake_with_the_state_of_an_accepted_websocket_is_not_accepted_again(
    manager: ConnectionManager,
) -> None:
    fake = accepted()
    await manager.connect(fake)
    await manager.connect(fake)
    fake.accept.assert_not_called()
    assert manager.active_connections == [fake]
    await manager.broadcast("1")
    fake.send_text.assert_awaited_once_with("1")


async def test_a_model_is_json_and_bytes_are_bytes_for_a_fake(manager: ConnectionManager) -> None:
    class Item(BaseModel):
        name: str

    fake = AsyncMock(spec=WebSocket)
    await manager.connect(fake)
    await manager.broadcast(Item(name="tea"))
    fake.send_json.assert_awaited_once_with({"name": "tea"})
    await manager.broadcast(b"x")
    fake.send_bytes.assert_awaited_once_with(b"x")
    with_text_only = Handwritten()
    del with_text_only.send_json
    await manager.connect(with_text_only)  # type: ignore[arg-type]
    await manager.broadcast({"n": 1})
    with_text_only.send_text.assert_awaited_once_with('{"n":1}')


async def test_a_fake_that_fails_is_dropped_and_the_others_get_everything(manager: ConnectionManager) -> None:
    dead, well = AsyncMock(spec=WebSocket), AsyncMock(spec=WebSocket)
    dead.send_text.side_effect = RuntimeError("closed")
    for fake in (dead, well):
        await manager.connect(fake)
    await manager.broadcast("1")
    await manager.broadcast("2")
    assert well.send_text.await_args_list == [call("1"), call("2")]
    assert manager.active_connections == [well]


async def test_a_personal_message_raises_what_the_fake_raises(manager: ConnectionManager) -> None:
    fake = AsyncMock(spec=WebSocket)
    fake.send_text.side_effect = WebSocketDisconnect(1001)
    await manager.connect(fake)
    with pytest.raises(WebSocketDisconnect):
        await manager.send_personal_message("1", fake)
    stranger = AsyncMock(spec=WebSocket)
    await manager.send_personal_message("1", stranger)
    stranger.send_text.assert_awaited_once_with("1")


async def test_a_mistake_in_a_fake_is_logged(manager: ConnectionManager, caplog: pytest.LogCaptureFixture) -> None:
    fake = AsyncMock(spec=WebSocket)
    fake.send_text.side_effect = AttributeError("a mistake")
    await manager.connect(fake)
    await manager.broadcast("1")
    assert "a mistake" in caplog.text


async def test_a_fake_that_blocks_is_waited_for_once_and_delays_no_other(
    manager: ConnectionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PATIENCE", 0.05)
    slow, quick = AsyncMock(spec=WebSocket), AsyncMock(spec=WebSocket)
    reads = asyncio.Event()

    async def block(_: str) -> None:
        await reads.wait()

    slow.send_text.side_effect = block
    for fake in (slow, quick):
        await manager.connect(fake)
    async with asyncio.timeout(20):
        for number in range(50):
            await manager.broadcast(str(number))
    assert quick.send_text.await_count == 50
    reads.set()
    await manager.drained()


async def test_a_plain_function_or_a_coroutine_function_may_be_a_method(manager: ConnectionManager) -> None:
    sent: list[str] = []

    class Plain:
        def accept(self) -> None:
            sent.append("accept")

        def send_text(self, text: str) -> None:
            sent.append(text)

    fake = Plain()
    await manager.connect(fake)  # type: ignore[arg-type]
    await manager.broadcast("1")
    assert sent == ["accept", "1"]


async def test_real_and_fake_websockets_get_the_same_messages_in_order(manager: ConnectionManager) -> None:
    peer, fake = Peer(), AsyncMock(spec=WebSocket)
    await asyncio.create_task(manager.connect(peer.socket))
    await manager.connect(fake)
    for text in "123":
        await manager.broadcast(text)
    await manager.drained()
    assert peer.got == [*"123"]
    assert fake.send_text.await_args_list == [call(text) for text in "123"]


async def test_control_a_manager_that_takes_mocks_for_websockets_fails_these_tests(
    manager: ConnectionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.gateways.manager.manager.is_called", lambda _: False)
    monkeypatch.setattr(sockets, "is_called", lambda _: False)
    with pytest.raises((AttributeError, AssertionError)):
        await test_a_program_that_connects_broadcasts_and_disconnects_may_assert_at_once(
            manager, lambda: AsyncMock(spec=WebSocket)
        )
