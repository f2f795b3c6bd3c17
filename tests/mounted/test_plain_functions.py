"""`authenticate` as a plain function, and `revoke` from threads."""

import asyncio
import threading
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio.from_thread
import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity
from hubbub.engine import external_auth
from hubbub.settings import WrongSetting
from tests.mounted.host_app import ORIGIN
from tests.support.asgi_socket import Socket

with warnings.catch_warnings():  # Starlette wants another client than httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ANNA = Identity("app", "1", "Anna")
threads: list[str] = []


def plain(connection: HTTPConnection) -> Identity | None:
    threads.append(threading.current_thread().name)
    given = connection.headers.get("authorization")
    if given == "Bearer unknown":
        raise HTTPException(401)
    return ANNA if given == "Bearer a" else None


async def coroutine(connection: HTTPConnection) -> Identity | None:
    return plain(connection)


def with_site(_site: str, connection: HTTPConnection) -> Identity | None:
    return plain(connection)


class Plain:
    def __call__(self, connection: HTTPConnection) -> Identity | None:
        return plain(connection)

    async def method(self, connection: HTTPConnection) -> Identity | None:
        return plain(connection)


class Coroutine:
    async def __call__(self, connection: HTTPConnection) -> Identity | None:
        return plain(connection)


def awaitable(connection: HTTPConnection) -> Awaitable[Identity | None]:
    return coroutine(connection)


async def status(hubbub: Hubbub, token: str) -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hubbub.app), base_url=ORIGIN, trust_env=False) as client:
        answer = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code


@pytest.mark.parametrize(
    ("authenticate", "in_thread"),
    [
        (plain, True), (partial(with_site, "one"), True), (Plain(), True), (lambda connection: plain(connection), True),
        (coroutine, False), (partial(coroutine), False), (Coroutine(), False), (Plain().method, False),
        (awaitable, False), (lambda connection: coroutine(connection), False),
    ],
    ids=["plain", "partial", "object", "lambda", "coroutine", "partial-coroutine", "object-coroutine", "method",
         "awaitable", "lambda-coroutine"],
)  # fmt: skip
async def test_every_kind_of_callable_authenticates_requests_and_sockets(
    tmp_path: Path, authenticate: Callable[..., Any], in_thread: bool
) -> None:
    hubbub = Hubbub(authenticate=authenticate, origins=[ORIGIN], data=tmp_path / "chat")
    async with hubbub.lifespan():
        threads.clear()
        assert [await status(hubbub, token) for token in ("a", "b", "unknown")] == [200, 401, 401]
        socket = Socket(hubbub.app)
        assert (await socket.greet("a"))["user"]["name"] == "Anna"
        await socket.leave()
        here = threading.current_thread().name
        assert [name != here for name in threads] == [in_thread] * 4


def test_something_that_cannot_be_called_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="must be a function"):
        Hubbub(authenticate=ANNA, origins=[ORIGIN], data=tmp_path / "chat")  # type: ignore[arg-type]


async def test_functions_that_hang_take_a_bounded_number_of_threads_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_auth, "TIMEOUT", 0.3)
    monkeypatch.setattr(external_auth, "THREADS", 3)
    gate, inside = threading.Event(), []

    def hangs(connection: HTTPConnection) -> Identity | None:
        inside.append(threading.get_ident())
        gate.wait()
        return ANNA

    hubbub = Hubbub(authenticate=hangs, origins=[ORIGIN], data=tmp_path / "chat", rate_limits=False)
    async with hubbub.lifespan():
        try:
            assert set(await asyncio.gather(*(status(hubbub, "a") for _ in range(20)))) == {503}
            assert len(inside) == 3
            assert await status(hubbub, "a") == 503, "all threads still hang"
            assert len(inside) == 3
        finally:
            gate.set()
        monkeypatch.setattr(external_auth, "TIMEOUT", 10.0)
        assert await asyncio.gather(*(status(hubbub, "a") for _ in range(10))) == [200] * 10, (
            "all places are free again"
        )


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """An app with plain and other endpoints that log a user out."""
    hubbub = Hubbub(authenticate=plain, origins=[ORIGIN], data=tmp_path / "chat")
    app = FastAPI(lifespan=hubbub.lifespan)
    app.mount("/chat", hubbub.app)
    app.state.hubbub = hubbub

    @app.post("/plain")
    def from_a_plain_endpoint() -> None:
        hubbub.revoke("1", issuer="app")

    @app.post("/bridge")
    def through_a_bridge() -> None:
        anyio.from_thread.run(partial(hubbub.revoke, "1", issuer="app"))

    @app.post("/awaited")
    async def awaited() -> None:
        await hubbub.revoke("1", issuer="app")

    @app.post("/task")
    async def as_a_task() -> None:
        await asyncio.create_task(hubbub.revoke("1", issuer="app"))

    @app.post("/background")
    def in_the_background(tasks: BackgroundTasks) -> None:
        tasks.add_task(hubbub.revoke, "1", issuer="app")

    @app.post("/forgotten")
    async def not_awaited() -> None:
        hubbub.revoke("1", issuer="app")

    @app.post("/own-loop")
    def with_a_loop_of_its_own() -> None:
        async def run() -> None:
            await hubbub.revoke("1", issuer="app")

        asyncio.run(run())

    @app.post("/wrong")
    def wrong() -> None:
        hubbub.revoke("", issuer="app")

    return app


@pytest.mark.parametrize("how", ["plain", "bridge", "awaited", "task", "background", "forgotten", "own-loop"])
def test_revoke_closes_the_connections_wherever_it_is_called(app: FastAPI, how: str) -> None:
    with (
        TestClient(app, base_url=ORIGIN) as client,
        client.websocket_connect("/chat/ws", subprotocols=["hubbub.v1"]) as socket,
    ):
        socket.send_json({"type": "hello", "token": "a"})
        assert socket.receive_json()["type"] == "welcome"
        assert client.post(f"/{how}").status_code == 200
        while (message := socket.receive())["type"] != "websocket.close":
            pass
        assert message["code"] == 4503


def test_revoke_in_a_thread_raises_what_is_wrong(app: FastAPI) -> None:
    with TestClient(app, base_url=ORIGIN) as client:
        with pytest.raises(ValueError, match="subject"):
            client.post("/wrong")
        app.state.hubbub.revoke("1", issuer="app")  # from the test's own thread
    with pytest.raises(RuntimeError, match="not started"):
        app.state.hubbub.revoke("1", issuer="app")


def test_a_test_client_without_with_is_told_to_use_with(app: FastAPI) -> None:
    client = TestClient(app, base_url=ORIGIN)
    answer = client.get("/chat/api/site")
    assert answer.status_code == 500
    assert "with TestClient(app) as client:" in answer.json()["error"]["message"]


async def test_a_call_that_nothing_awaits_runs_to_its_end(app: FastAPI) -> None:
    hubbub: Hubbub = app.state.hubbub
    async with hubbub.lifespan():
        socket = Socket(hubbub.app)
        await socket.greet("a")
        hubbub.revoke("1", issuer="app")
        while (heard := await socket.hear()) != {"closed": 4503}:
            assert "closed" not in heard
        await socket.leave()
