"""The app under a root path.

It is behind a proxy that strips the path or passes it on, or mounted in another app.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount

from hubbub.domain.model import LOBBY, Role
from hubbub.settings import OWN_PATHS
from tests.support.world import PASSWORD, World, world_at

ORIGIN = "https://example.org"
PUBLIC = f"{ORIGIN}/our/chat"
HTML = {"Accept": "text/html"}


@asynccontextmanager
async def reached(world: World, way: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client whose paths start below the root path, in one of three ways."""
    app = Starlette(routes=[Mount("/our/chat", app=world.app)]) if way == "mounted" else world.app
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("198.51.100.7", 40_000))
    base = "https://example.org" + ("" if way == "stripped" else "/our/chat")
    async with httpx.AsyncClient(transport=transport, base_url=base, trust_env=False) as client:
        yield client


@pytest.fixture(params=["stripped", "handed on", "mounted"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with world_at(tmp_path / "data", public_url=PUBLIC) as world:
        await world.create("owner", Role.OWNER)
        async with reached(world, request.param) as found:
            yield found


async def test_a_browser_logs_in_reads_and_writes_under_a_root_path(client: httpx.AsyncClient) -> None:
    client.headers["Origin"] = ORIGIN
    answer = await client.post("/api/login", json={"username": "owner", "password": PASSWORD})
    assert answer.status_code == 200
    # RFC 6265bis: a __Host- cookie covers the entire host, so that no neighbour on another path can
    # set it.
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-hubbub_session=")
    assert "path=/;" in cookie
    assert "secure" in cookie
    answer = await client.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "hello"})
    assert answer.status_code == 201
    assert (await client.get(f"/api/rooms/{LOBBY}/messages")).json()["messages"][-1]["body"] == "hello"
    invite = (await client.post("/api/invites", json={})).json()
    assert invite["link"] == f"{PUBLIC}/invite#{invite['token']}"
    other = await client.post(
        f"/api/rooms/{LOBBY}/messages", json={"key": "l", "body": "x"}, headers={"Origin": PUBLIC}
    )
    assert other.status_code == 403, "an origin has no path"


async def test_pages_refer_to_their_files_relatively(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert answer.headers["strict-transport-security"] == "max-age=31536000", (
        "the header covers no subdomains, which may belong to others"
    )
    for path in ("/", "/setup", "/invite", "/docs", "/docs/docs.js", "/openapi.json", "/health"):
        assert (await client.get(path)).status_code == 200, path
    page = await client.get("/docs")
    assert "connect-src 'self' wss://example.org;" in page.headers["content-security-policy"]
    assert 'src="docs/docs.js"' in page.text
    assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/our/chat"}]
    assert (await client.get("/nowhere")).json()["error"]["code"] == "not_found"


async def test_the_root_path_without_its_slash_redirects_to_the_page(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", public_url=PUBLIC) as world:
        asked = world.visitor()
        for method in ("GET", "HEAD"):
            answer = await asked.ask(method, "/our/chat?x=1", headers=HTML)
            assert answer.status_code == 307
            assert answer.url.join(answer.headers["location"]).path == "/our/chat/"
            assert answer.headers["location"].endswith("/?x=1")
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await asked.post("/our/chat")).status_code == 404
        for path in ("/our/chatter", "/our", "/our/chat/our/chat/health"):
            assert (await asked.get(path)).status_code == 404, path


async def test_links_of_an_app_mounted_without_a_public_url_contain_the_root_path(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        owner = await world.program("owner", Role.OWNER)
        app = Starlette(routes=[Mount("/chat", app=world.app)])
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", trust_env=False) as client:
            client.headers["Authorization"] = owner.client.headers["Authorization"]
            made = (await client.post("/chat/api/invites", json={})).json()
            assert made["link"] == f"http://127.0.0.1:8000/chat/invite#{made['token']}"
            assert (await client.get("/chat/openapi.json")).json()["servers"] == [{"url": "/chat"}]
            assert "servers" not in (await owner.get("/openapi.json")).json()


async def test_the_list_of_paths_a_root_path_may_not_equal_is_complete(world: World) -> None:
    paths = [route.path for route in world.app.routes if isinstance(route, APIRoute)]
    assert {path.split("/")[1] for path in paths} - {""} | {"ws"} == OWN_PATHS


@pytest.mark.parametrize(
    ("trusted", "told", "secure"),
    [
        ("198.51.100.7", "https", True),
        ("198.51.100.7", "http, https", True),
        ("198.51.100.7", "https, http", False),  # The nearest proxy decides.
        ("198.51.100.7", "", False),
        ("198.51.100.8", "https", False),
        ("", "https", False),
    ],
)
async def test_only_a_trusted_proxy_decides_whether_the_request_was_https(
    tmp_path: Path, trusted: str, told: str, secure: bool
) -> None:
    async with world_at(tmp_path / "data", trusted_proxies=trusted) as world:
        await world.create("alice")
        person = world.visitor(address="198.51.100.7")
        login = {"username": "alice", "password": PASSWORD}
        answer = await person.post("/api/login", json=login, headers={"X-Forwarded-Proto": told})
        assert answer.headers["set-cookie"].startswith("__Host-" if secure else "hubbub_session=")
        assert ("secure" in answer.headers["set-cookie"].lower()) is secure
