"""Starting a mounted Hubbub, and which routes exist."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message

from hubbub import Hubbub, Identity
from hubbub.storage.locks import FolderInUse
from tests.mounted.host_app import ORIGIN, HostApp
from tests.support.asgi_socket import Socket

OF_OWN_ACCOUNTS = (
    ("POST", "/token"), ("POST", "/token/refresh"), ("POST", "/api/login"), ("POST", "/api/logout"),
    ("GET", "/api/sessions"), ("DELETE", "/api/sessions/x"), ("PUT", "/api/users/me/password"), ("POST", "/api/reset"),
    ("POST", "/api/users"), ("DELETE", "/api/users/me"),
)  # fmt: skip


async def ask(app: ASGIApp, method: str, path: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, trust_env=False) as client:
        return await client.request(method, path, headers=headers)


async def test_without_the_lifespan_every_answer_says_what_to_write(tmp_path: Path) -> None:
    host = HostApp(tmp_path / "chat")
    app = FastAPI()
    app.mount("/chat", host.hubbub.app)
    answer = await ask(app, "GET", "/chat/api/site")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "FastAPI(lifespan=hubbub.lifespan)" in answer.json()["error"]["message"]
    socket = Socket(app, "/chat/ws")
    assert await socket.status() == 500
    assert b"lifespan=hubbub.lifespan" in (await socket.event())["body"]
    await socket.leave()
    with pytest.raises(RuntimeError, match="lifespan"):
        await host.hubbub.revoke("1", issuer="app")
    assert not (tmp_path / "chat").exists()


async def test_a_host_application_can_start_it_from_its_own_lifespan_repeatedly(tmp_path: Path) -> None:
    host = HostApp(tmp_path / "chat")
    host.people = {"a": Identity("app", "1", "Anna")}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with host.hubbub.lifespan(app):
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/chat", host.hubbub.app)
    seen = set()
    for _ in range(2):
        async with app.router.lifespan_context(app):
            seen.add((await ask(app, "GET", "/chat/users/me", "a")).json()["id"])
        assert (await ask(app, "GET", "/chat/users/me", "a")).status_code == 500
    assert len(seen) == 1


async def test_a_second_hubbub_in_one_data_folder_is_refused(host: HostApp) -> None:
    other = Hubbub(host.hubbub.settings)
    with pytest.raises(FolderInUse, match="already"):
        async with other.lifespan():
            pass
    assert (await host.ask("GET", "/health/ready")).status_code == 200


async def test_an_asgi_server_can_run_the_app_with_its_lifespan_events(tmp_path: Path) -> None:
    hubbub = Hubbub(data=tmp_path / "chat")
    sent: list[str] = []

    async def receive() -> Message:
        if not sent:
            return {"type": "lifespan.startup"}
        assert (await ask(hubbub.app, "GET", "/health/ready")).status_code == 200
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await hubbub.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_routes_of_own_accounts_do_not_exist_if_the_host_application_authenticates(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna", "owner")}
    for method, path in OF_OWN_ACCOUNTS:
        answer = await host.ask(method, path, "a", json={})
        # Reading users is possible at the two addresses of accounts; creating and deleting is not.
        wanted = (405, "bad_request") if path in ("/api/users", "/api/users/me") else (404, "not_found")
        assert (answer.status_code, answer.json()["error"]["code"]) == wanted, (method, path)
    site = (await host.ask("GET", "/api/site")).json()
    assert (site["accounts"], site["needs_owner"], site["signup"]) == ("host", False, "closed")


async def test_routes_of_own_accounts_exist_without_authenticate(tmp_path: Path) -> None:
    hubbub = Hubbub(data=tmp_path / "chat")
    async with hubbub.lifespan():
        for method, path in OF_OWN_ACCOUNTS:
            assert (await ask(hubbub.app, method, path)).status_code not in (404, 405), (method, path)
        site = (await ask(hubbub.app, "GET", "/api/site")).json()
        assert (site["accounts"], site["needs_owner"]) == ("own", True)
        with pytest.raises(RuntimeError, match="authenticate"):
            await hubbub.revoke("1", issuer="app")


async def test_authenticate_sees_the_host_application_and_may_raise_http_exceptions(tmp_path: Path) -> None:
    def user_name(request: HTTPConnection) -> str:
        if request.headers.get("authorization") != "Bearer a":
            raise HTTPException(401)
        return str(request.app.state.user_name)

    async def authenticate(connection: HTTPConnection) -> Identity:
        return Identity("app", "1", user_name(connection))

    hubbub = Hubbub(authenticate=authenticate, origins=[ORIGIN], data=tmp_path / "chat")
    app = FastAPI(lifespan=hubbub.lifespan)
    app.state.user_name = "Anna"
    app.mount("/chat", hubbub.app)

    @app.get("/me")
    def me(name: str = Depends(user_name)) -> str:
        return name

    @app.get("/path")
    def path(request: Request) -> str:
        return str(request.app.state.user_name)

    async with app.router.lifespan_context(app):
        assert (await ask(app, "GET", "/chat/users/me", "a")).json()["name"] == "Anna"
        assert (await ask(app, "GET", "/chat/users/me", "b")).status_code == 401
        assert (await ask(app, "GET", "/me", "a")).json() == (await ask(app, "GET", "/path")).json() == "Anna"


async def test_a_wrong_answer_of_authenticate_is_an_internal_error_and_admits_no_user(host: HostApp) -> None:
    host.people = {"a": "Anna"}  # type: ignore[dict-item]
    answer = await host.ask("GET", "/users/me", "a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    socket = Socket(host.hubbub.app)
    assert (await socket.greet("a"))["error"]["code"] == "internal"
    assert await socket.hear() == {"closed": 1011}
    await socket.leave()
