"""A host application with a dictionary of users and delayable authentication."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity
from tests.support.asgi_socket import HOST

ORIGIN = f"http://{HOST}"


class HostApp:
    """A host application.

    `people` maps tokens to identities. A cleared `gate` delays every answer of authenticate.
    """

    def __init__(self, data: Path, **settings: Any) -> None:
        self.people: dict[str, Identity] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        given = {"origins": [ORIGIN], "rate_limits": False, "data": data, **settings}
        self.hubbub = Hubbub(authenticate=self.authenticate, **given)

    async def authenticate(self, connection: HTTPConnection) -> Identity | None:
        _, _, bearer = connection.headers.get("authorization", "").partition(" ")
        found = self.people.get(bearer or connection.cookies.get("app", ""))
        self.waiting.set()
        await self.gate.wait()
        return found

    def hold(self) -> None:
        """From now on, make authenticate wait between its look-up and its answer."""
        self.waiting.clear()
        self.gate.clear()

    async def ask(self, method: str, path: str, token: str | None = None, **arguments: Any) -> httpx.Response:
        """Send one request with a bearer token."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **arguments.pop("headers", {})}
        transport = httpx.ASGITransport(self.hubbub.app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, trust_env=False) as client:
            return await client.request(method, path, headers=headers, **arguments)
