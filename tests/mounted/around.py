"""An app that a test plays: who is who is a dictionary, and recognising somebody takes as long as the test says."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity
from tests.support.asgi_socket import HOST

ORIGIN = f"http://{HOST}"


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
