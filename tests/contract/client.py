"""A client that knows only the contract.

It speaks HTTP and WebSocket, and checks the form of every answer.
"""

import asyncio
import itertools
import json
import socket
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.client import raw_connect
from tests.support.server import PASSWORD, Account, Server

Frame = dict[str, Any]
STATUS = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "busy": 503,
    "unavailable": 503,
    "internal": 500,
}
_numbers = itertools.count(1)
_http = httpx.Client(trust_env=False, timeout=30.0)


def fresh(prefix: str = "word") -> str:
    """Return a name that is unused in this run."""
    return f"{prefix}{next(_numbers)}"


def request(server: Server, method: str, path: str, **arguments: Any) -> httpx.Response:
    """Send a request without cookies."""
    _http.cookies.clear()
    answer = _http.request(method, f"{server.url}{path}", **arguments)
    _http.cookies.clear()
    return answer


def expect_error(answer: httpx.Response, code: str, status: int | None = None) -> Frame:
    """Assert an error of the contract's form with that code and its status.

    Return the error.
    """
    assert answer.status_code == (status or STATUS[code]), f"{answer.status_code} {answer.text}"
    body = answer.json()
    return expect_error_body(body, code)


def expect_error_body(body: Frame, code: str) -> Frame:
    """Assert `{"error":{"code","message","retry_after"?}}` with that code.

    Return the error.
    """
    error: Frame = body["error"]
    assert error["code"] == code, body
    assert set(error) <= {"code", "message", "retry_after"}, body
    assert isinstance(error["message"], str)
    assert error["message"]
    if "retry_after" in error:
        assert isinstance(error["retry_after"], (int, float))
        assert error["retry_after"] > 0
    return error


def cookie_of(server: Server, account: Account) -> str:
    """Start a browser session; return the cookie as the browser sends it."""
    answer = request(server, "POST", "/api/login", json={"username": account.name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].split(";")[0]


async def open_socket(server: Server, path: str = "/ws", **options: Any) -> ClientConnection:
    """Open a WebSocket of hubbub.v1 without `hello`."""
    return await raw_connect(f"ws://127.0.0.1:{server.port}{path}", **options)


async def receive(ws: ClientConnection, within: float = 20.0) -> Frame:
    """Return the next frame, which must be one JSON object in a text message."""
    text = await asyncio.wait_for(ws.recv(), within)
    assert isinstance(text, str), "a binary message"
    frame = json.loads(text)
    assert isinstance(frame, dict), f"no object: {text}"
    return frame


async def greet(server: Server, hello: Frame, **options: Any) -> tuple[ClientConnection, Frame]:
    """Connect and send `hello`; return the socket and the first frame."""
    ws = await open_socket(server, **options)
    await ws.send(json.dumps({"type": "hello", **hello}))
    return ws, await receive(ws)


async def send(ws: ClientConnection, frame: Frame) -> Frame:
    """Send a command; return its reply and ignore other frames."""
    await ws.send(json.dumps(frame))
    return await reply_to(ws, frame.get("id"))


async def reply_to(ws: ClientConnection, number: object) -> Frame:
    while True:
        frame = await receive(ws)
        if "re" in frame and frame["re"] == number:
            return frame


async def receive_rest(ws: ClientConnection, within: float = 20.0) -> tuple[list[str | bytes], int | None]:
    """Return the remaining messages and the close code."""
    received: list[str | bytes] = []
    try:
        async with asyncio.timeout(within):
            while True:
                received.append(await ws.recv())
    except ConnectionClosed:
        return received, ws.close_code


def raw_upgrade(server: Server, path: str = "/ws", **headers: str) -> tuple[int, str, str]:
    """Send a WebSocket handshake by hand, so that Host can be anything.

    Return status, head, body.
    """
    lines = {
        "Host": f"127.0.0.1:{server.port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "hubbub.v1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    handshake = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
        peer.sendall(handshake.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = peer.recv(4096)
            if not got:
                break
            answer += got
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 101:
            while got := peer.recv(4096):
                body += got
    return status, head.decode("latin-1").lower(), body.decode("utf-8", "replace")
