"""Unsafe requests with a cookie must come from the site's own pages.

A bearer token is accepted from anywhere.
"""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from hubbub.domain.model import LOBBY
from tests.support.world import ORIGIN, PASSWORD, World, world_at

SAFE = {"GET", "HEAD"}
FOREIGN = [
    {},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://evil.example"},
    {"Origin": f"{ORIGIN}.evil.example"},
    {"Origin": "http://evil.127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "http://alice@127.0.0.1:8000"},
    {"Origin": f"{ORIGIN}/"},
    {"Origin": f"{ORIGIN}, {ORIGIN}"},
    {"Origin": "file://"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Referer": f"{ORIGIN}/"},
]
OURS = [
    {"Origin": ORIGIN},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin"},
]
OPEN_TO_ALL = {"/api/users", "/api/login", "/token", "/token/refresh", "/api/reset", "/api/invites/check"}


def unsafe_routes(world: World) -> list[tuple[str, str]]:
    """Return every route that changes something and needs a logged-in user."""
    found = []
    for route in world.app.routes:
        if not isinstance(route, APIRoute) or route.path in OPEN_TO_ALL:
            continue
        for method in (route.methods or set()) - SAFE:
            filled = route.path.replace("{room}", str(LOBBY)).replace("{user}", "5").replace("{session}", "x")
            found.append((method, filled.replace("{invite}", "x")))
    return found


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_no_unsafe_route_accepts_a_cookie_from_another_origin(world: World, kind: str) -> None:
    await world.create("alice")
    alice = await world.browser("alice")
    del alice.client.headers["Origin"]
    routes = unsafe_routes(world)
    assert len(routes) >= 12
    for method, path in routes:
        for headers in FOREIGN:
            answer = await alice.ask(method, path, content=b"{}", headers={**headers, "Content-Type": kind})
            assert answer.status_code == 403, f"{method} {path} {headers} → {answer.status_code} {answer.text}"
    assert (await alice.get("/users/me")).status_code == 200


@pytest.mark.parametrize("headers", OURS)
async def test_the_sites_own_pages_may_use_the_cookie(world: World, headers: dict[str, str]) -> None:
    await world.create("alice")
    alice = await world.browser("alice")
    del alice.client.headers["Origin"]
    assert (await alice.post(f"/api/rooms/{LOBBY}/join", headers=headers)).status_code == 200


async def test_a_bearer_token_needs_no_origin(world: World) -> None:
    alice = await world.program("alice")
    answer = await alice.post(f"/api/rooms/{LOBBY}/join", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 200


async def test_reading_with_a_cookie_needs_no_origin(world: World) -> None:
    await world.create("alice")
    alice = await world.browser("alice")
    del alice.client.headers["Origin"]
    assert (await alice.get("/api/rooms")).status_code == 200


async def test_a_rebound_host_name_is_not_the_sites_own(world: World) -> None:
    """DNS rebinding: origin and Host agree, and neither is the site's."""
    await world.create("alice")
    alice = await world.browser("alice")
    value = alice.client.cookies["hubbub_session"]
    eve = world.visitor(host="evil.example:8000")
    headers = {"Origin": "http://evil.example:8000", "Cookie": f"hubbub_session={value}"}
    assert (await eve.post(f"/api/rooms/{LOBBY}/join", headers=headers)).status_code == 403


async def test_with_a_public_url_only_that_origin_is_the_sites_own(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", public_url="http://chat.example.org") as world:
        await world.create("alice")
        alice = await world.browser("alice", origin="http://chat.example.org")
        for origin, status in (("http://chat.example.org", 200), (ORIGIN, 403)):
            answer = await alice.post(f"/api/rooms/{LOBBY}/join", headers={"Origin": origin})
            assert answer.status_code == status


LOG_INS = {
    "/api/login": {"json": {"username": "alice", "password": PASSWORD}},
    "/token": {"data": {"username": "alice", "password": PASSWORD}},
    "/token/refresh": {"json": {"refresh_token": "x.0.y"}},
    "/api/users": {"json": {"username": "berta", "password": PASSWORD}},
    "/api/reset": {"json": {"token": "x", "password": PASSWORD}},
}
"""Requests with which a page could guess the secrets of its visitors, or use their address."""
NO_LOG_IN = {"/api/invites/check"}


async def foreign_pages_cannot_log_in(world: World) -> None:
    await world.create("alice")
    assert LOG_INS.keys() | NO_LOG_IN == OPEN_TO_ALL
    for path, given in LOG_INS.items():
        for headers in FOREIGN:
            if headers.keys() <= {"Referer"}:
                continue  # a program
            answer = await world.visitor().post(path, headers=headers, **given)
            assert answer.status_code == 403, f"{path} {headers} → {answer.status_code} {answer.text}"
            assert "www-authenticate" not in answer.headers
            assert "set-cookie" not in answer.headers


async def test_no_route_accepts_a_log_in_from_a_foreign_page(world: World) -> None:
    await foreign_pages_cannot_log_in(world)
    for path in ("/api/login", "/token"):
        for headers in (*OURS, {}, {"Referer": "http://evil.example/"}):
            answer = await world.visitor().post(path, headers=headers, **LOG_INS[path])
            assert answer.status_code == 200, f"{path} {headers} → {answer.status_code} {answer.text}"


async def test_control_without_that_check_foreign_pages_log_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.protocol.headers.page_problem", lambda *_: None)
    with pytest.raises(AssertionError, match="/api/login"):
        await foreign_pages_cannot_log_in(world)


async def test_pages_of_listed_origins_may_log_in(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", origins=("https://app.example.org",)) as world:
        await world.create("alice")
        headers = {"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}
        for path in ("/api/login", "/token"):
            assert (await world.visitor().post(path, headers=headers, **LOG_INS[path])).status_code == 200


OTHER_HOSTS = ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "0x7f000001",
               "", "[::1", "chat.example.org.")  # fmt: skip
OWN_HOSTS = ("127.0.0.1:8000", "localhost:9", "[::1]:8000", "CHAT.example.org", "app.example.org:443")


async def rebound_names_are_refused(world: World) -> None:
    for host in OTHER_HOSTS:
        headers = {"Host": host}
        answer = await world.visitor(address="127.0.0.1").get("/metrics", headers=headers)
        assert answer.status_code == 421, f"{host!r}: {answer.status_code}"
        answer = await world.visitor().post("/api/users", headers=headers, **LOG_INS["/api/users"])
        assert answer.status_code == 421, f"{host!r}: {answer.status_code}"


async def test_a_foreign_host_name_reads_no_metrics_and_creates_no_account(tmp_path: Path) -> None:
    """DNS rebinding, without a cookie: the address of a visitor counts, not a credential."""
    known = {"public_url": "https://chat.example.org", "origins": ("https://app.example.org",)}
    async with world_at(tmp_path / "data", **known) as world:
        await rebound_names_are_refused(world)
        for number, host in enumerate(OWN_HOSTS):
            headers = {"Host": host}
            assert (await world.visitor(address="127.0.0.1").get("/metrics", headers=headers)).status_code == 200
            account = {"username": f"berta{number}", "password": PASSWORD}
            assert (await world.visitor().post("/api/users", json=account, headers=headers)).status_code == 201


async def test_control_without_that_check_a_foreign_host_name_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.protocol.headers.is_own_host", lambda *_: True)
    with pytest.raises(AssertionError, match=r"evil\.example"):
        await rebound_names_are_refused(world)


async def test_no_answer_allows_other_origins_to_read_it(world: World) -> None:
    answer = await world.visitor().get("/api/site", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert (await world.visitor().ask("OPTIONS", "/api/login", headers=preflight)).status_code == 405
