"""An app that a test plays: who is who is a dictionary, and recognising somebody takes as long as the test says."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message

from hubbub import Hubbub, Identity

HOST = "127.0.0.1:8000"
ORIGIN = f"http://{HOST}"
WITHIN = 10.0


class AppAround:
    """`people` maps tokens to identities; while `gate` is cleared, whoever was looked up is kept waiting at it."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.people: dict[str, Identity] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        given = {"origins": [ORIGIN], "rate_limits": False, "data": data, **settings}
        self.hubbub = Hubbub(authenticate=self.who_is_it, **given)

    async def who_is_it(self, connection: HTTPConnection) -> Identity | None:
        _, _, bearer = connection.headers.get("authorization", "").partition(" ")
        found = self.people.get(bearer or connection.cookies.get("app", ""))
        self.waiting.set()
        await self.gate.wait()
        return found

    def hold(self) -> None:
        """From now on, whoever is recognised waits between the looking up and the answer."""
        self.waiting.clear()
        self.gate.clear()

    async def ask(self, method: str, path: str, token: str | None = None, **arguments: Any) -> httpx.Response:
        """One request, with a bearer token."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **arguments.pop("headers", {})}
        transport = httpx.ASGITransport(self.hubbub.app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, trust_env=False) as client:
            return await client.request(method, path, headers=headers, **arguments)


class Socket:
    """A WebSocket as an ASGI server hands it to an application, without a server."""

    def __init__(self, app: ASGIApp, path: str = "/ws", headers: dict[str, str] | None = None) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        given = {"Host": HOST, **(headers or {})}
        scope = {
            "type": "websocket", "path": path, "root_path": "", "scheme": "ws", "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 40_000), "subprotocols": ["hubbub.v1"],
            "extensions": {"websocket.http.response": {}},
        }  # fmt: skip
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.ensure_future(app(scope, self._incoming.get, self._outgoing.put))

    async def event(self) -> Message:
        """What the application sends next."""
        async with asyncio.timeout(WITHIN):
            return await self._outgoing.get()

    def say(self, frame: dict[str, Any]) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    async def hear(self) -> dict[str, Any]:
        """The next frame; the close as `{"closed": CODE}`."""
        event = await self.event()
        if event["type"] == "websocket.close":
            return {"closed": event["code"]}
        assert event["type"] == "websocket.send", event
        frame: dict[str, Any] = json.loads(event["text"])
        return frame

    async def greet(self, token: str | None = None) -> dict[str, Any]:
        """Accepted, hello said; the first frame."""
        assert (await self.event())["type"] == "websocket.accept"
        self.say({"type": "hello", **({"token": token} if token else {})})
        return await self.hear()

    async def status(self) -> int:
        """What the handshake was refused with."""
        event = await self.event()
        assert event["type"] == "websocket.http.response.start", event
        return int(event["status"])

    async def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(WITHIN):
                await self._serving
