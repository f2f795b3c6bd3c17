"""A whole Hubbub in this process, without sockets.

Services, the HTTP application, and its users. Every answer is checked against OpenAPI: status,
content type and body must be documented.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from hubbub.clock import Clock
from hubbub.domain.commands import CreateAccount
from hubbub.domain.model import SYSTEM, Role
from hubbub.engine.services import Services
from hubbub.gateways.http.app import create_app
from hubbub.main import create_setup_link, running
from hubbub.settings import Settings
from tests.support import quick_passwords

PASSWORD = "correct horse battery staple"
HOST = "127.0.0.1:8000"
ORIGIN = f"http://{HOST}"
SAME_ORIGIN = {"Origin": ORIGIN}


class MovingClock(Clock):
    """The system clock, plus an offset that tests can change; it may stand still."""

    def __init__(self, *, stands: bool = False) -> None:
        self.ahead = 0.0
        self._stood = (super().now(), super().monotonic()) if stands else None

    def now(self) -> int:
        return (self._stood[0] if self._stood else super().now()) + int(self.ahead * 1_000)

    def monotonic(self) -> float:
        return (self._stood[1] if self._stood else super().monotonic()) + self.ahead


class Contract:
    """The documented answers in OpenAPI, by method and path."""

    def __init__(self, app: FastAPI) -> None:
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"), methods)
            for path, methods in app.openapi()["paths"].items()
        ]
        self._models: dict[str, Any] = {}
        for route in app.routes:
            if isinstance(route, APIRoute) and route.response_model is not None:
                self._models[route.unique_id] = TypeAdapter(route.response_model)

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, methods in self._paths:
            if pattern.match(path) and method.lower() in methods:
                found: dict[str, Any] = methods[method.lower()]
                return found
        return None

    async def check(self, answer: httpx.Response) -> None:
        """Fail if the answer is not documented."""
        request = answer.request
        operation = self.operation(request.method, request.url.path)
        if operation is None:
            return
        where = f"{request.method} {request.url.path} → {answer.status_code}"
        documented = operation["responses"].get(str(answer.status_code))
        assert documented is not None, f"{where} is not documented"
        await answer.aread()
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert kind in documented.get("content", {"": {}}), f"{where} answers with {kind!r}"
        model = self._models.get(operation["operationId"])
        if model is not None and answer.is_success and kind == "application/json":
            model.validate_json(answer.content)


_contracts: list[Contract] = []


def _contract(app: FastAPI) -> Contract:
    """Return one contract for all.

    Building it takes longer than a test, and no setting changes its routes.
    """
    if not _contracts:
        _contracts.append(Contract(app))
    return _contracts[0]


class Person:
    """A user with an HTTP client of their own, which keeps cookies and its token."""

    def __init__(self, client: httpx.AsyncClient, name: str = "", id_: int = 0) -> None:
        self.client = client
        self.name = name
        self.id = id_
        self.refresh = ""

    async def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.request(method, path, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.get(path, **arguments)

    async def post(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.post(path, **arguments)


class World:
    """The services, the application and the clock; creates users and their sessions."""

    def __init__(self, services: Services, clock: MovingClock) -> None:
        self.services = services
        self.clock = clock
        self.app = create_app(services)
        self.contract = _contract(self.app)
        self._clients: list[httpx.AsyncClient] = []

    def visitor(self, address: str = "198.51.100.7", host: str = HOST) -> Person:
        """Return an anonymous client with an empty cookie jar."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 40_000)),
            base_url=f"http://{host}",
            event_hooks={"response": [self.contract.check]},
            trust_env=False,
        )
        self._clients.append(client)
        return Person(client)

    async def create(self, name: str, role: Role = Role.MEMBER, password: str = PASSWORD) -> int:
        """Create an account as the command line does; return its id."""
        password_hash = await self.services.passwords.hash(password)
        command = CreateAccount(username=name, password_hash=password_hash, role=role)
        user = (await self.services.journal.submit(command, SYSTEM)).answer["user"]
        return user.id

    async def program(self, name: str, role: Role = Role.MEMBER) -> Person:
        """Create an account, logged in by token."""
        id_ = await self.create(name, role)
        person = await self.token(name)
        person.id = id_
        return person

    async def token(self, name: str, password: str = PASSWORD) -> Person:
        """Start another token session of an account."""
        person = self.visitor()
        answer = await person.post("/token", data={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        person.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        person.name, person.refresh = name, answer.json()["refresh_token"]
        return person

    async def browser(self, name: str, password: str = PASSWORD, origin: str = ORIGIN) -> Person:
        """Start a browser session of an account, with requests from the same origin."""
        person = self.visitor()
        person.client.headers.update({"Origin": origin})
        answer = await person.post("/api/login", json={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        person.name, person.id = name, answer.json()["id"]
        return person

    async def setup_token(self) -> str:
        token = await create_setup_link(self.services)
        assert token is not None
        return token

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def world_at(data: Path, **settings: Any) -> AsyncIterator[World]:
    """Start the services; sign-up is open and rate limits are off by default.

    With rate limits the clock stands still, so that nothing is forgiven on a slow machine.
    """
    clock = MovingClock(stands=bool(settings.get("rate_limits")))
    wanted = Settings(**{"data": data, "signup": "open", "rate_limits": False, **settings})
    with quick_passwords.used():
        stack = AsyncExitStack()
        services = await stack.enter_async_context(running(wanted, clock))
    async with stack:
        world = World(services, clock)
        try:
            yield world
        finally:
            await world.close()
