"""A WebSocket without a network: Starlette's own class, with the test as its client."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlencode

from starlette.datastructures import Address
from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

TIMEOUT = 5.0
ABNORMAL = 1006
"""RFC 6455's code for an end without a Close frame."""
Pairs = Mapping[str, str] | Sequence[tuple[str, str]]
Mode = Literal["text", "binary"]


class Peer:
    """The client's end of a FakeWebSocket.

    Its methods are called like those of the session of Starlette's TestClient. Those that receive
    are coroutines and wait `timeout` seconds, by default those of the FakeWebSocket.

    Must be used on the event loop of the endpoint.
    """

    def __init__(self, timeout: float) -> None:
        self.received: list[str | bytes] = []
        """All messages sent to the client, in order: str for text, bytes for binary."""
        self.subprotocol: str | None = None
        """The subprotocol that the endpoint accepted."""
        self.headers: list[tuple[bytes, bytes]] = []
        """The headers that the endpoint added to its answer to the handshake."""
        self.body = b""
        """The body of a denial response."""
        self._timeout = timeout
        self._status: int | None = None
        self._end: WebSocketDisconnect | None = None
        self._gone = False
        self._read = 0
        self._failure: BaseException | None = None
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        self._changed = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    def __repr__(self) -> str:
        state = "connecting" if self._status is None else "open" if self._end is None else f"closed {self._end.code}"
        return f"<Peer {state}, {len(self.unread)} unread>"

    # --- the client sends ----------------------------------------------------------------------------------------

    def send_text(self, data: str) -> None:
        """Send a text message to the endpoint.

        Raises WebSocketDisconnect if the connection has ended.
        """
        self._send({"type": "websocket.receive", "text": data})

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message to the endpoint. Raises like `send_text`."""
        self._send({"type": "websocket.receive", "bytes": data})

    def send_json(self, data: Any, mode: Mode = "text") -> None:
        """Send JSON to the endpoint, in a text or a binary message. Raises like `send_text`."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        if mode == "text":
            self.send_text(text)
        else:
            self.send_bytes(text.encode())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection as a client does. Does nothing if it has ended.

        The endpoint receives what was sent before, then the end. What it sends from now on raises
        WebSocketDisconnect. Raises ValueError for a code that no client can send.
        """
        if not 1000 <= code < 5000 or code in (1004, 1005, ABNORMAL, 1015):
            raise ValueError(f"A client cannot close with code {code}.")
        self._leave(code, reason)

    def drop(self) -> None:
        """End the connection without a Close frame, as a broken network does: code 1006."""
        self._leave(ABNORMAL, "")

    def pause(self) -> None:
        """Stop reading: what the endpoint sends waits, as on a connection with full buffers."""
        self._reads.clear()

    def resume(self) -> None:
        """Read again."""
        self._reads.set()

    # --- the client receives -------------------------------------------------------------------------------------

    @property
    def unread(self) -> list[str | bytes]:
        """The messages that arrived and that no `receive` has returned."""
        return self.received[self._read :]

    @property
    def status(self) -> int | None:
        """The HTTP status of the handshake: 101 if accepted, 403 if closed; None before either."""
        return self._status

    @property
    def close_code(self) -> int | None:
        """The code with which either side closed; None while the connection is open."""
        return self._end.code if self._end is not None else None

    @property
    def close_reason(self) -> str:
        """The reason that came with the code."""
        return self._end.reason if self._end is not None else ""

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """Return the next message.

        Raises WebSocketDisconnect if there is none because the connection has ended, TimeoutError if
        none arrives in time, and what the endpoint raised if it failed.
        """
        await self._until(lambda: bool(self.unread), timeout, "No message")
        self._read += 1
        return self.received[self._read - 1]

    async def receive_text(self, timeout: float | None = None) -> str:
        """Return the next message. Raises AssertionError if it is binary, else like `receive`."""
        message = await self.receive(timeout)
        assert isinstance(message, str), f"The next message is binary: {message[:100]!r}"
        return message

    async def receive_bytes(self, timeout: float | None = None) -> bytes:
        """Return the next message. Raises AssertionError if it is text, else like `receive`."""
        message = await self.receive(timeout)
        assert isinstance(message, bytes), f"The next message is text: {message[:100]!r}"
        return message

    async def receive_json(self, mode: Mode = "text", timeout: float | None = None) -> Any:
        """Return the value of the next message. Raises like `receive_text` and `receive_bytes`."""
        return json.loads(await (self.receive_text(timeout) if mode == "text" else self.receive_bytes(timeout)))

    async def handshake(self, timeout: float | None = None) -> int:
        """Wait until the endpoint accepts or refuses; return the HTTP status. Raises like `receive`."""
        await self._until(lambda: self._status is not None, timeout, "No answer to the handshake")
        assert self._status is not None
        return self._status

    async def closed(self, timeout: float | None = None) -> int:
        """Wait for the end of the connection; return its code. Raises like `receive`."""
        await self._until(lambda: self._end is not None, timeout, "No end of the connection")
        assert self._end is not None
        return self._end.code

    # --- inside --------------------------------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        if self._end is not None:
            raise WebSocketDisconnect(self._end.code, self._end.reason)
        self._events.put_nowait(event)

    def _leave(self, code: int, reason: str) -> None:
        self._gone = True
        self._reads.set()
        if self._end is None:
            self._closed(code, reason)

    def _closed(self, code: int, reason: str) -> None:
        """Record the end, and tell the endpoint as uvicorn does: also of its own Close."""
        self._end = WebSocketDisconnect(code, reason)
        self._events.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._changed.set()

    async def _until(self, condition: Callable[[], bool], timeout: float | None, missing: str) -> None:
        seconds = self._timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self._failure is not None:
                        raise self._failure
                    if self._end is not None:
                        raise WebSocketDisconnect(self._end.code, self._end.reason)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            if error is self._failure:
                raise
            raise TimeoutError(f"{missing} within {seconds:g} s. Received so far: {self.received!r}") from None

    async def _take(self, event: Event) -> None:
        """Take what the endpoint sends, in the place of an ASGI server."""
        kind = event["type"]
        if kind in ("websocket.send", "websocket.close"):
            await self._reads.wait()
        if self._gone:
            raise OSError("The client has left.")
        if kind == "websocket.accept":
            self._status = 101
            self.subprotocol = event.get("subprotocol")
            self.headers = list(event.get("headers") or ())
        elif kind == "websocket.send":
            text = event.get("text")
            self.received.append(bytes(event["bytes"]) if text is None else text)
        elif kind == "websocket.close":
            if self._status is None:
                self._status = 403
            self._closed(event.get("code", 1000), event.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._status = event["status"]
            self.headers = list(event.get("headers") or ())
        else:
            self.body += event.get("body", b"")
            if not event.get("more_body", False):
                self._closed(ABNORMAL, "")
        self._changed.set()

    def _endpoint_ended(self, task: "asyncio.Future[object]") -> None:
        """Do what a server does after the endpoint: an open connection is cut off."""
        if not task.cancelled():
            self._failure = task.exception()
        if self._end is None:
            self._status = self._status or 500
            self._leave(ABNORMAL, "")
        self._changed.set()


class FakeWebSocket(WebSocket):
    """Starlette's WebSocket, connected to a `Peer` in place of a server.

    The arguments become what the endpoint finds in `headers`, `query_params` and so on. With
    `accepted` the handshake is over, for tests of code that gets a WebSocket after it. `app` is for
    endpoints that use `websocket.app`. `timeout` is in seconds, for all waiting of the test::

        websocket = FakeWebSocket(query_params={"token": "t0ken"})
        async with websocket.run(chat(websocket, "ann")) as client:
            client.send_text("hello")
            assert await client.receive_text() == "ann: hello"

    It behaves like uvicorn: after the client has left, sending raises WebSocketDisconnect. Only a
    message that is larger than the buffers of a network makes a difference: here, a client that has
    paused takes nothing at all.
    """

    def __init__(
        self,
        path: str = "/",
        *,
        headers: Pairs = (),
        query_params: Pairs | str = "",
        path_params: Mapping[str, Any] | None = None,
        cookies: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        state: Mapping[str, Any] | None = None,
        app: object = None,
        client: tuple[str, int] = ("testclient", 50000),
        accepted: bool = False,
        timeout: float = TIMEOUT,
    ) -> None:
        self.peer = Peer(timeout)
        """The client's end."""
        given = {"host": "testserver", "connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        pairs = [*given.items(), *_pairs(headers)]
        if cookies:
            pairs.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        query = query_params if isinstance(query_params, str) else urlencode(_pairs(query_params))
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
            "client": Address(*client),
            "server": ("testserver", 80),
            "subprotocols": list(subprotocols),
            "path_params": dict(path_params or {}),
            "state": dict(state or {}),
            "extensions": {"websocket.http.response": {}},
            **({"app": app} if app is not None else {}),
        }
        super().__init__(scope, self.peer._events.get, self.peer._take)
        if accepted:
            self.peer._events.get_nowait()
            self.peer._status = 101
            self.client_state = self.application_state = WebSocketState.CONNECTED

    @asynccontextmanager
    async def run(self, endpoint: Awaitable[object]) -> AsyncIterator[Peer]:
        """Run the endpoint in a task; the block plays the client.

        Enters the block once the endpoint has accepted. Raises WebSocketDisconnect if it refuses.
        Leaving the block closes the connection and waits for the endpoint. Raises what the endpoint
        raised, and TimeoutError if it does not end in time.
        """
        task = asyncio.ensure_future(endpoint)
        task.add_done_callback(self.peer._endpoint_ended)
        try:
            if await self.peer.handshake() != 101:
                if await _ended(task, self.peer._timeout):
                    task.result()  # raises what the endpoint raised
                raise WebSocketDisconnect(await self.peer.closed(), self.peer.close_reason)
            yield self.peer
        except BaseException:
            self.peer._leave(1000, "")
            await _ended(task, self.peer._timeout)
            raise
        self.peer._leave(1000, "")
        if not await _ended(task, self.peer._timeout):
            raise TimeoutError(f"The endpoint did not end within {self.peer._timeout:g} s after its client had left.")
        task.result()


def _pairs(given: Pairs) -> list[tuple[str, str]]:
    return list(given.items() if isinstance(given, Mapping) else given)


async def _ended(task: "asyncio.Future[object]", seconds: float) -> bool:
    """Wait for the task; cancel it after `seconds`. Return whether it ended by itself."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=seconds)
    return bool(done)
