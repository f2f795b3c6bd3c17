"""All of REST: routes without a credential, the shape of errors, headers."""

import random
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from structlog.testing import capture_logs

from hubbub.domain.errors import ERRORS, HubbubError
from hubbub.domain.model import LOBBY, Role
from hubbub.gateways.http import errors, web
from tests.support.world import PASSWORD, World, world_at

PUBLIC = {
    "/", "/setup", "/invite", "/reset", "/embed", "/embed.js", "/sw.js", "/assets/{name}", "/docs", "/docs/docs.js",
    "/docs/docs.css",
    "/openapi.json", "/health", "/health/ready", "/metrics", "/api/site", "/api/login", "/token",
    "/token/refresh", "/api/reset", "/api/invites/check",
}  # fmt: skip


def routes(world: World) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in world.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]


async def test_only_listed_routes_answer_without_a_credential(world: World) -> None:
    for method, path in routes(world):
        filled = re.sub(r"\{[^}]+\}", "1", path.replace("{topic}", "site"))
        answer = await world.visitor().ask(method, filled, json={})
        public = path in PUBLIC or (method, path) == ("POST", "/api/users")
        assert public or answer.status_code == 401, f"{method} {path} → {answer.status_code}"


def test_every_error_code_has_a_status_and_every_status_a_meaning() -> None:
    assert errors.STATUS.keys() == {error.code for error in ERRORS}
    assert set(errors.STATUS.values()) | {421} == errors.MEANING.keys()
    assert all(issubclass(error, HubbubError) for error in ERRORS)


async def test_unknown_addresses_and_wrong_methods_are_answered_with_the_usual_error(world: World) -> None:
    visitor = world.visitor()
    for method, path, status, code in [
        ("GET", "/nowhere", 404, "not_found"), ("POST", "/nowhere", 404, "not_found"),
        ("PUT", "/api/login", 405, "bad_request"), ("GET", "/api/rooms/", 404, "not_found"),
        ("GET", "/assets/%2e%2e%2fsettings.py", 404, "not_found"),
    ]:  # fmt: skip
        answer = await visitor.ask(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_wrong_method_is_answered_with_all_allowed_ones(world: World) -> None:
    for path, allowed in [
        ("/api/rooms", "GET, POST"), ("/api/rooms/1/messages", "GET, POST"), ("/api/invites/check", "POST"),
        ("/api/invites/other", "DELETE"), ("/health", "GET, HEAD"), ("/api/login", "POST"),
    ]:  # fmt: skip
        answer = await world.visitor().ask("PUT", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_bug_is_logged_under_an_id_and_reveals_nothing_to_the_client(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("the inner secret")

    monkeypatch.setattr(type(world.services.metrics), "render", broken)
    with capture_logs() as lines:
        answer = await world.visitor(address="127.0.0.1").get("/metrics?token=secret")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    (line,) = lines
    assert line["id"] in answer.json()["error"]["message"]
    assert (line["event"], line["path"]) == ("request_failed", "/metrics")


async def test_every_answer_carries_the_security_headers(world: World) -> None:
    alice = await world.program("alice")
    for path in ("/users/me", "/api/site", "/", "/docs", "/nowhere", "/api/rooms/x", "/openapi.json"):
        headers = (await alice.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
        assert "server" not in headers
    assert (await alice.get("/users/me")).headers["cache-control"] == "no-store"


async def test_the_front_page_is_html_only_for_clients_that_accept_html(world: World) -> None:
    visitor = world.visitor()
    for accept, is_html in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", True), ("*/*", False), ("application/json", False), ("", False),
        ("text/*", False), ("text/html;q=0, */*", False), ("TEXT/HTML; q=0.5", True),
    ]:  # fmt: skip
        answer = await visitor.get("/", headers={"Accept": accept})
        assert answer.headers["vary"] == "Accept"
        assert (
            "text/html" in answer.headers["content-type"] or "text/plain" in answer.headers["content-type"]
        ) is is_html
    assert "Welcome to Hubbub!" in (await visitor.get("/")).json()["message"]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small web client with the files that the build produces."""
    folder = tmp_path / "web_dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<!doctype html><script type="module" src="./assets/index-abc.js"></script>')
    (folder / "assets/index-abc.js").write_text("export {};")
    (folder / "sw.js").write_text("addEventListener('fetch', () => {});")
    monkeypatch.setattr(web.create_router, "__defaults__", (folder,))
    return folder


async def test_all_pages_are_the_web_client_under_a_strict_policy(tmp_path: Path, built: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        browser = world.visitor()
        browser.client.headers["Accept"] = "text/html"
        for path in ("/", "/setup", "/invite", "/reset"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.text) == (200, (built / "index.html").read_text())
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "connect-src 'self' ws://127.0.0.1:8000 wss://127.0.0.1:8000;" in policy
            assert "require-trusted-types-for 'script'" in policy
        script = await browser.get("/assets/index-abc.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        again = await browser.get("/assets/index-abc.js", headers={"If-None-Match": script.headers["etag"]})
        assert again.status_code == 304
        assert (await browser.get("/assets/index.html")).status_code == 404
        worker = await browser.get("/sw.js")
        assert (worker.headers["content-type"], worker.headers["cache-control"]) == (
            "text/javascript; charset=utf-8",
            "no-cache",
        )
        assert "default-src 'none'; connect-src 'self';" in worker.headers["content-security-policy"]


async def test_assets_are_compressed_for_clients_that_accept_gzip(tmp_path: Path, built: Path) -> None:
    code = "export const words = 1;\n" * 200
    (built / "assets/large-abc.js").write_text(code)
    (built / "assets/font-abc.woff2").write_bytes(random.Random(1).randbytes(2_000))
    async with world_at(tmp_path / "data") as world:
        browser = world.visitor()
        for accepted, is_compressed in [
            ("gzip, deflate, br", True), ("br;q=1.0, gzip;q=0.8", True), ("GZIP", True),
            ("gzip;q=0", False), ("br, gzip;q=0.000", False), ("identity", False), ("notgzip", False), ("*;q=0", False),
        ]:  # fmt: skip
            answer = await browser.get("/assets/large-abc.js", headers={"Accept-Encoding": accepted})
            assert (answer.headers.get("content-encoding") == "gzip", answer.text) == (is_compressed, code), accepted
            assert (int(answer.headers["content-length"]) < len(code) / 10) is is_compressed
            assert answer.headers["vary"] == "Accept-Encoding"
            kept = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]}
            assert (await browser.get("/assets/large-abc.js", headers=kept)).status_code == 304
            other = {
                "Accept-Encoding": "identity" if is_compressed else "gzip",
                "If-None-Match": answer.headers["etag"],
            }
            assert (await browser.get("/assets/large-abc.js", headers=other)).status_code == 200
        font = await browser.get("/assets/font-abc.woff2", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in font.headers


async def test_an_unknown_host_is_not_put_into_the_policy(tmp_path: Path, built: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        for host in ("evil.example", "127.0.0.1; script-src *", "evil.example:8000"):
            answer = await world.visitor().get("/", headers={"Host": host, "Accept": "text/html"})
            assert "connect-src 'self';" in answer.headers["content-security-policy"]
            assert "evil" not in answer.headers["content-security-policy"]


async def test_without_a_built_client_the_page_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.create_router, "__defaults__", (tmp_path / "nothing",))
    async with world_at(tmp_path / "data") as world:
        answer = await world.visitor().get("/", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
        assert "make setup" in answer.text
        assert (await world.visitor().get("/")).status_code == 200


async def test_the_api_docs_load_nothing_external_and_nothing_inline(world: World) -> None:
    visitor = world.visitor()
    page = (await visitor.get("/docs")).text
    assert "://" not in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    for source in sources:
        assert source == "data:," or (await visitor.get(f"/{source}")).status_code == 200
    assert not re.search(r"<script>|<style>| on[a-z]+=| style=", page)


async def test_openapi_documents_every_route_with_its_errors(world: World) -> None:
    document = (await world.visitor().get("/openapi.json")).json()
    assert {"/token", "/users/me", "/health", "/api/rooms/{room}/messages"} <= document["paths"].keys()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"500", "503"} <= operation["responses"].keys(), f"{method} {path}"
            assert operation["tags"]
            assert "422" not in operation["responses"]
    flows = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]
    assert flows["password"]["tokenUrl"] == "token"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.3.2.1"])
async def test_metrics_are_readable_from_the_same_machine_without_a_proxy(world: World, address: str) -> None:
    assert (await world.visitor(address=address).get("/metrics")).status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host"):
        handed_on = await world.visitor(address=address).get("/metrics", headers={name: "198.51.100.1"})
        assert handed_on.status_code == 401


async def test_metrics_are_readable_by_admins_and_with_the_metrics_token(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", metrics_token="a token of some length") as world:
        visitor = world.visitor()
        for token, status in (("a token of some length", 200), ("another token of length", 401)):
            answer = await visitor.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
        assert (await (await world.program("alice", Role.ADMIN)).get("/metrics")).status_code == 200
        assert (await (await world.program("bob")).get("/metrics")).status_code == 403
        assert (await visitor.get("/metrics")).status_code == 401


async def test_users_outside_a_public_room_learn_nothing_about_its_members(world: World) -> None:
    alice, bob = await world.program("alice"), await world.program("bob")
    room = (await alice.post("/api/rooms", json={"kind": "public", "name": "General"})).json()["room"]["id"]
    for path in ("members", "online-members", "messages"):
        mine = await bob.get(f"/api/rooms/{room}/{path}")
        none = await bob.get(f"/api/rooms/{room + 1}/{path}")
        assert (mine.status_code, mine.content) == (404, none.content)
    assert (await bob.get(f"/api/topics/room:{room}/events?after=0")).status_code == 404
    assert (await bob.get(f"/api/topics/user:{alice.id}/events?after=0")).status_code == 404
    detail = (await bob.get(f"/api/rooms/{room}")).json()
    assert (detail["members"], detail["room"]["joined"]) == ([], False)


async def test_extra_parameters_do_not_reveal_other_rooms(world: World) -> None:
    """Rocket.Chat #39452: a client's filter replaced the server's own."""
    alice, bob = await world.program("alice"), await world.program("bob")
    await alice.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "for the lobby"})
    other = (await alice.post("/api/rooms", json={"kind": "public", "name": "General"})).json()["room"]["id"]
    await alice.post(f"/api/rooms/{other}/messages", json={"key": "k", "body": "not for bob"})
    for name in ("room", "room_id", "rid", "user", "topic"):
        assert (await bob.get(f"/api/rooms/{LOBBY}/messages?{name}={other}")).status_code == 400


async def test_a_room_is_created_joined_read_left_and_listed_over_rest(world: World) -> None:
    alice, bob = await world.program("alice"), await world.program("bob")
    made = (await alice.post("/api/rooms", json={"kind": "public", "name": "General", "key": "k"})).json()
    again = await alice.post("/api/rooms", json={"kind": "public", "name": "General", "key": "k"})
    assert again.json() == made
    room = made["room"]["id"]
    assert (await bob.post(f"/api/rooms/{room}/join")).json()["topic"] == f"room:{room}"
    sent = (await alice.post(f"/api/rooms/{room}/messages", json={"key": "m", "body": "hello"})).json()
    assert (await bob.get(f"/api/rooms/{room}")).json()["room"]["unread_count"] == 1
    assert (await bob.post(f"/api/rooms/{room}/read", json={"seq": sent["seq"]})).status_code == 200
    assert (await bob.post(f"/api/rooms/{room}/read", json={"seq": sent["seq"]})).json() == {}
    assert (await bob.get(f"/api/rooms/{room}")).json()["room"]["unread_count"] == 0
    people = (await alice.get(f"/api/rooms/{room}/members")).json()["members"]
    assert [(one["name"], one["role"]) for one in people] == [("alice", "owner"), ("bob", "member")]
    assert (await bob.ask("DELETE", f"/api/rooms/{room}/members/{alice.id}")).status_code == 403
    assert (await alice.ask("DELETE", f"/api/rooms/{room}/members/{bob.id}")).status_code == 200
    assert (await bob.get(f"/api/rooms/{room}/messages")).status_code == 404
    assert (await alice.post(f"/api/rooms/{room}/leave")).status_code == 200
    assert (await alice.post(f"/api/rooms/{LOBBY}/leave")).status_code == 403
    directory = (await alice.get("/api/rooms")).json()
    assert [(one["id"], one["joined"]) for one in directory["rooms"]] == [(LOBBY, True), (room, False)]


async def test_no_answer_contains_the_password_or_its_hash(world: World) -> None:
    alice = await world.program("alice")
    for path in ("/users/me", f"/api/users/{alice.id}", "/api/sessions", f"/api/topics/user:{alice.id}/events?after=0"):
        text = (await alice.get(path)).text
        assert "argon2" not in text
        assert PASSWORD not in text
