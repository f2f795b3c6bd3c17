"""What the test sees of a FakeWebSocket."""

import asyncio
import subprocess
import sys

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from hubbub import ConnectionManager
from hubbub.testing import FakeWebSocket
from tests.support.waiting import eventually

PATIENCE = 60.0
SHORT = 0.05
UNWANTED = ("fastapi", "httpx", "hubbub.main", "hubbub.mounted", "hubbub.settings", "sqlalchemy", "uvicorn")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept("chat.v1", [(b"x-served-by", b"test")])
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


async def test_the_client_sends_receives_and_leaves() -> None:
    websocket = FakeWebSocket(timeout=PATIENCE)
    async with websocket.run(echo(websocket)) as client:
        assert client is websocket.peer
        assert (client.status, client.subprotocol, client.headers) == (101, "chat.v1", [(b"x-served-by", b"test")])
        client.send_text("1")
        client.send_json({"two": 2})
        assert await client.receive_text() == "1"
        assert await client.receive_json() == {"two": 2}
        assert client.received == ["1", '{"two":2}']
        assert client.unread == []
        assert client.close_code is None
    assert client.close_code == 1000
    assert websocket.client_state is WebSocketState.DISCONNECTED


async def test_a_message_that_does_not_arrive_is_a_timeout_that_shows_what_did() -> None:
    websocket = FakeWebSocket(timeout=PATIENCE)
    async with websocket.run(echo(websocket)) as client:
        client.send_text("only this")
        assert await client.receive() == "only this"
        with pytest.raises(TimeoutError, match=r"No message within 0.05 s. Received so far: \['only this'\]"):
            await client.receive_text(timeout=SHORT)


async def test_a_text_for_a_binary_message_and_the_reverse_say_what_came() -> None:
    websocket = FakeWebSocket(accepted=True)
    await websocket.send_text("a text")
    await websocket.send_bytes(b"bytes")
    with pytest.raises(AssertionError, match="The next message is text: 'a text'"):
        await websocket.peer.receive_bytes()
    with pytest.raises(AssertionError, match="The next message is binary: b'bytes'"):
        await websocket.peer.receive_text()


async def test_the_failure_of_the_endpoint_reaches_the_test_that_waits() -> None:
    async def fails(websocket: WebSocket) -> None:
        await websocket.accept()
        raise ZeroDivisionError("in the endpoint")

    websocket = FakeWebSocket(timeout=PATIENCE)
    with pytest.raises(ZeroDivisionError):
        async with websocket.run(fails(websocket)) as client:
            await client.receive_text()
    again = FakeWebSocket(timeout=PATIENCE)
    with pytest.raises(ZeroDivisionError):
        async with again.run(fails(again)):
            pass  # The block does not wait for anything.


async def test_an_endpoint_that_fails_before_it_accepts_raises_at_the_start() -> None:
    async def fails(websocket: WebSocket) -> None:
        raise ZeroDivisionError

    websocket = FakeWebSocket(timeout=PATIENCE)
    with pytest.raises(ZeroDivisionError):
        async with websocket.run(fails(websocket)):
            raise AssertionError("The block runs.")


async def test_an_endpoint_that_refuses_raises_with_its_code() -> None:
    async def refuses(websocket: WebSocket) -> None:
        await websocket.close(4401, "log in")

    websocket = FakeWebSocket(timeout=PATIENCE)
    with pytest.raises(WebSocketDisconnect) as refused:
        async with websocket.run(refuses(websocket)):
            raise AssertionError("The block runs.")
    assert (refused.value.code, refused.value.reason, websocket.peer.status) == (4401, "log in", 403)


async def test_an_endpoint_that_does_not_end_is_cancelled_and_reported() -> None:
    ended = []

    async def stays(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    websocket = FakeWebSocket(timeout=SHORT)
    with pytest.raises(TimeoutError, match=r"did not end within 0\.05 s"):
        async with websocket.run(stays(websocket)):
            pass
    assert ended


async def test_sending_to_a_paused_client_waits_until_it_reads_or_leaves() -> None:
    websocket = FakeWebSocket(accepted=True, timeout=PATIENCE)
    websocket.peer.pause()
    sending = asyncio.create_task(websocket.send_text("1"))
    with pytest.raises(TimeoutError):
        await websocket.peer.receive(timeout=SHORT)
    assert not sending.done()
    websocket.peer.resume()
    await sending
    assert await websocket.peer.receive() == "1"
    websocket.peer.pause()
    sending = asyncio.create_task(websocket.send_text("2"))
    await asyncio.sleep(0)
    websocket.peer.close()
    with pytest.raises(WebSocketDisconnect):
        await sending
    assert websocket.peer.received == ["1"]


async def test_a_client_that_has_left_can_neither_send_nor_receive() -> None:
    websocket = FakeWebSocket(accepted=True)
    await websocket.send_text("before")
    websocket.peer.close(1001, "moving on")
    assert await websocket.peer.receive_text() == "before"
    for call in (websocket.peer.receive_text, websocket.peer.closed):
        if call == websocket.peer.closed:
            assert await call() == 1001
        else:
            with pytest.raises(WebSocketDisconnect) as end:
                await call()
            assert (end.value.code, end.value.reason) == (1001, "moving on")
    with pytest.raises(WebSocketDisconnect):
        websocket.peer.send_text("after")
    websocket.peer.close(4000)  # the first end counts
    assert websocket.peer.close_code == 1001


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 5000])
def test_codes_that_no_client_can_send_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        FakeWebSocket().peer.close(code)


async def test_the_arguments_are_what_the_endpoint_finds() -> None:
    app = FastAPI()
    app.state.setting = "on"
    websocket = FakeWebSocket(
        "/ws/tea/ann",
        headers=[("X-Twice", "1"), ("X-Twice", "2")],
        query_params={"token": "a&b", "page": "2"},
        path_params={"room": "tea", "user": 7},
        cookies={"session": "s3cret", "theme": "dark"},
        state={"database": "db"},
        app=app,
        client=("192.0.2.1", 1234),
    )
    assert websocket.url.path == "/ws/tea/ann"
    assert websocket.headers.getlist("x-twice") == ["1", "2"]
    assert dict(websocket.query_params) == {"token": "a&b", "page": "2"}
    assert websocket.path_params == {"room": "tea", "user": 7}
    assert websocket.cookies == {"session": "s3cret", "theme": "dark"}
    assert (websocket.state.database, websocket.app.state.setting) == ("db", "on")
    websocket.state.user = "ann"
    assert websocket.state.user == "ann"
    assert websocket.client is not None
    assert (websocket.client.host, websocket.client.port) == ("192.0.2.1", 1234)


async def test_a_fake_can_be_made_outside_a_loop_and_be_the_argument_of_a_dependency() -> None:
    def user_of(websocket: WebSocket) -> str:
        return websocket.query_params["user"]

    async def greet(websocket: WebSocket, user: str = Depends(user_of)) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {user}")

    websocket = await asyncio.to_thread(FakeWebSocket, query_params={"user": "ann"}, timeout=PATIENCE)
    async with websocket.run(greet(websocket, user_of(websocket))) as client:
        assert await client.receive_text() == "hello ann"


async def test_a_manager_ends_a_paused_client_with_4008_and_the_others_get_everything() -> None:
    manager = ConnectionManager(outbox_bytes=10_000)
    slow, quick = (FakeWebSocket(timeout=PATIENCE) for _ in range(2))
    for websocket in (slow, quick):
        await asyncio.create_task(manager.connect(websocket))
    slow.peer.pause()
    for number in range(30):
        await manager.broadcast(f"{number:04} {'x' * 5_000}")
        assert (await quick.peer.receive_text())[:4] == f"{number:04}"
    await eventually(lambda: slow not in manager.active_connections, PATIENCE, "the slow client is dropped")
    with pytest.raises(WebSocketDisconnect) as end:
        await slow.receive_text()
    assert end.value.code == 4008
    assert quick in manager.active_connections


def test_the_test_doubles_import_no_server() -> None:
    """Negative control: the complete chat imports all of it."""
    script = "import sys; from hubbub.testing import {}; print(*sys.modules)"
    for names, expected in (("FakeWebSocket, Peer, connected", set()), ("chat", set(UNWANTED) - {"httpx"})):
        command = [sys.executable, "-W", "ignore", "-c", script.format(names)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        assert set(UNWANTED) & set(done.stdout.split()) == expected


def test_an_unknown_name_is_an_attribute_error() -> None:
    import hubbub.testing

    with pytest.raises(AttributeError, match="FakeSocket"):
        _ = hubbub.testing.FakeSocket
