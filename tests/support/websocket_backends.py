"""The same application and the same client on a fake WebSocket, on TestClient and on uvicorn.

Each backend gives clients with one interface, so that a test can compare what they experience.
"""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from hubbub.testing import FakeWebSocket
from tests.support.waiting import eventually

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette warns that it prefers another HTTP client.
    from fastapi.testclient import TestClient
    from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession

PATIENCE = 60.0
PATH = "/ws/ann"
Message = str | bytes
Endpoint = Callable[[WebSocket], Awaitable[None]]
OURS = "hubbub:WebSocketProtocol"


class Closed(Exception):
    """The connection has ended. `code` is None if the client cannot know it."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The handshake was refused."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Client(Protocol):
    """A client of any backend."""

    async def send(self, message: Message) -> None: ...
    async def receive(self) -> Message:
        """Return the next message. Raises Closed."""

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Backend(Protocol):
    """Runs one application, and connects clients to it."""

    async def connect(
        self, path: str = PATH, *, headers: dict[str, str] | None = None, subprotocols: Sequence[str] = ()
    ) -> Client:
        """Return a client after the handshake. Raises Refused."""

    async def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send an HTTP request, and return what httpx would."""


# --- a fake WebSocket ------------------------------------------------------------------------------------------------


class FakeClient:
    def __init__(self, websocket: FakeWebSocket) -> None:
        self.peer = websocket.peer

    async def send(self, message: Message) -> None:
        if isinstance(message, str):
            self.peer.send_text(message)
        else:
            self.peer.send_bytes(message)

    async def receive(self) -> Message:
        try:
            return await self.peer.receive()
        except WebSocketDisconnect as end:
            raise Closed(end.code, end.reason) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.peer.close(code, reason)

    async def drop(self) -> None:
        self.peer.drop()

    def pause(self) -> None:
        self.peer.pause()


class Fakes(AsyncExitStack):
    """Calls the endpoint itself."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def connect(
        self, path: str = PATH, *, headers: dict[str, str] | None = None, subprotocols: Sequence[str] = ()
    ) -> FakeClient:
        path, _, query = path.partition("?")
        websocket = FakeWebSocket(
            path,
            headers=headers or {},
            query_params=query,
            path_params={"name": path.rpartition("/")[2]},
            subprotocols=subprotocols,
            timeout=PATIENCE,
        )
        try:
            await self.enter_async_context(websocket.run(_quietly(self._endpoint, websocket)))
        except WebSocketDisconnect:
            assert websocket.peer.status is not None
            raise Refused(websocket.peer.status, websocket.peer.body) from None
        return FakeClient(websocket)

    async def request(self, method: str, path: str, **arguments: Any) -> Any:
        raise NotImplementedError("An endpoint alone has no HTTP.")


async def _quietly(endpoint: Endpoint, websocket: WebSocket) -> None:
    """Run the endpoint; the test looks at the log of its exception itself."""
    try:
        await endpoint(websocket)
    except Exception as error:
        if not isinstance(error, Expected):
            raise


class Expected(Exception):
    """What an endpoint raises on purpose."""


# --- TestClient ------------------------------------------------------------------------------------------------------


class SessionClient:
    """A session of TestClient, which blocks: each call has a thread."""

    def __init__(self, session: WebSocketTestSession) -> None:
        self.session = session

    async def send(self, message: Message) -> None:
        send: Any = self.session.send_text if isinstance(message, str) else self.session.send_bytes
        await asyncio.to_thread(send, message)

    async def receive(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            event = await asyncio.to_thread(self.session.receive)
        if event["type"] == "websocket.close":
            raise Closed(event.get("code", 1000), event.get("reason") or "")
        found: Message = event["text"] if event.get("text") is not None else event["bytes"]
        return found

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await asyncio.to_thread(self.session.close, code, reason)


class Sessions:
    """Runs the application under TestClient."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._open: list[WebSocketTestSession] = []

    async def connect(
        self, path: str = PATH, *, headers: dict[str, str] | None = None, subprotocols: Sequence[str] = ()
    ) -> SessionClient:
        session = self._client.websocket_connect(path, subprotocols=list(subprotocols), headers=headers or {})
        try:
            await asyncio.to_thread(session.__enter__)
        except WebSocketDenialResponse as answer:
            raise Refused(answer.status_code, answer.content) from None
        except WebSocketDisconnect:
            raise Refused(403) from None
        self._open.append(session)
        return SessionClient(session)

    async def request(self, method: str, path: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(self._client.request, method, path, **arguments)

    def close(self) -> None:
        while self._open:
            self._open.pop().__exit__(None, None, None)


# --- uvicorn ---------------------------------------------------------------------------------------------------------


class SocketClient:
    """A client of the websockets library."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: Message) -> None:
        await self.connection.send(message)

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.connection.recv()
        except ConnectionClosed as end:
            raise Closed(end.rcvd.code if end.rcvd else 1006, end.rcvd.reason if end.rcvd else "") from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.connection.close(code, reason)

    async def drop(self) -> None:
        self.connection.transport.abort()

    def pause(self) -> None:
        self.connection.transport.pause_reading()


class Sockets(AsyncExitStack):
    """Runs the application under uvicorn, in this process."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def connect(
        self, path: str = PATH, *, headers: dict[str, str] | None = None, subprotocols: Sequence[str] = ()
    ) -> SocketClient:
        url = f"ws://127.0.0.1:{self._port}{path}"
        try:
            connection = await connect(
                url, proxy=None, compression=None, open_timeout=PATIENCE, close_timeout=1, additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in subprotocols] or None, user_agent_header=None,
            )  # fmt: skip
        except InvalidStatus as answer:
            raise Refused(answer.response.status_code, bytes(answer.response.body or b"")) from None
        self.push_async_callback(connection.close)
        return SocketClient(connection)

    async def request(self, method: str, path: str, **arguments: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            return await client.request(method, f"http://127.0.0.1:{self._port}{path}", **arguments)


def app_of(endpoint: Endpoint) -> ASGIApp:
    return Starlette(routes=[WebSocketRoute("/ws/{name}", endpoint)])


@asynccontextmanager
async def fakes(endpoint: Endpoint) -> AsyncIterator[Backend]:
    async with Fakes(endpoint) as backend:
        yield backend


@asynccontextmanager
async def sessions(app: ASGIApp) -> AsyncIterator[Backend]:
    client = TestClient(app)
    await asyncio.to_thread(client.__enter__)
    backend = Sessions(client)
    try:
        yield backend
    finally:
        await asyncio.to_thread(backend.close)
        await asyncio.to_thread(client.__exit__, None, None, None)


@asynccontextmanager
async def sockets(app: ASGIApp, protocol: str) -> AsyncIterator[Backend]:
    config = uvicorn.Config(app, ws=protocol, log_config=None, timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        await eventually(lambda: server.started or serving.done(), PATIENCE, "uvicorn listens")
        async with Sockets(listening.getsockname()[1]) as backend:
            yield backend
    finally:
        server.should_exit = True
        await serving
        listening.close()
