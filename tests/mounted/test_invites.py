"""Invites with a host application admit only users that it has logged in."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Identity
from tests.mounted.host_app import ORIGIN, HostApp


@pytest.fixture
def people(host: HostApp) -> HostApp:
    host.people = {
        "anna": Identity("app", "1", "Anna"),
        "bea": Identity("app", "2", "Bea"),
        "carl": Identity("app", "3", "Carl"),
        "olga": Identity("app", "4", "Olga", "admin"),
    }
    return host


async def done(host: HostApp, method: str, path: str, who: str, body: dict[str, Any] | None = None) -> Any:
    answer = await host.ask(method, path, who, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


async def garden(host: HostApp) -> int:
    """Create a private room of anna with olga in it."""
    olga = (await done(host, "GET", "/users/me", "olga"))["id"]
    asked = {"kind": "private", "name": "Garden", "members": [olga]}
    return int((await done(host, "POST", "/api/rooms", "anna", asked))["room"]["id"])


async def test_a_user_of_the_host_application_joins_a_room_by_its_invite(people: HostApp) -> None:
    room = await garden(people)
    made = await done(people, "POST", "/api/invites", "anna", {"room": room, "max_uses": 2})
    assert made["link"] == f"{ORIGIN}/invite#{made['token']}"
    token = {"token": made["token"]}
    door = await done(people, "POST", "/api/invites/check", "bea", token)
    assert door == {"valid": True, "signup": False, "room": room, "room_name": "Garden"}
    joined = await done(people, "POST", "/api/invites/accept", "bea", token)
    assert (joined["room"]["id"], joined["room"]["joined"]) == (room, True)
    listed = await done(people, "GET", f"/api/invites?room={room}", "anna")
    assert [(one["id"], one["uses"]) for one in listed["invites"]] == [(made["id"], 1)]
    await done(people, "DELETE", f"/api/invites/{made['id']}", "anna")
    assert (await people.ask("POST", "/api/invites/accept", "carl", json=token)).status_code == 403


async def test_an_invite_creates_no_accounts_and_works_neither_for_strangers_nor_other_origins(people: HostApp) -> None:
    room = await garden(people)
    for maker in ("anna", "olga"):
        made = await done(people, "POST", "/api/invites", maker, {"room": room})
        assert made["signup"] is False
        token = {"token": made["token"]}
        page = {"Origin": ORIGIN}
        assert (await people.ask("POST", "/api/invites/accept", json=token, headers=page)).status_code == 401
        assert (await people.ask("POST", "/api/invites/accept", "invalid", json=token)).status_code == 401
        account = {"username": "zoe", "password": "a good password", "invite": made["token"]}
        assert (await people.ask("POST", "/api/users", json=account)).status_code == 405
        cookie = {"Cookie": "app=bea", "Origin": "https://elsewhere.example"}
        assert (await people.ask("POST", "/api/invites/accept", json=token, headers=cookie)).status_code == 403
        there = await done(people, "GET", f"/api/invites?room={room}", maker)
        assert {one["uses"] for one in there["invites"]} == {0}
    cookie["Origin"] = ORIGIN
    assert (await people.ask("POST", "/api/invites/accept", json=token, headers=cookie)).status_code == 200


async def test_invites_to_the_site_itself_are_refused(people: HostApp) -> None:
    for who in ("olga", "anna"):
        answer = await people.ask("POST", "/api/invites", who, json={})
        assert answer.status_code == 403, answer.text
    assert (await done(people, "GET", "/api/invites", "olga"))["invites"] == []


async def test_an_invite_link_has_the_path_and_the_listed_origin_of_the_host_application(tmp_path: Path) -> None:
    origin = "https://app.example.org"
    host = HostApp(tmp_path / "chat", origins=["https://other.example.org", origin])
    host.people = {"anna": Identity("app", "1", "Anna")}
    app = FastAPI()
    app.mount("/chat", host.hubbub.app)
    asking = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=origin, headers={"Authorization": "Bearer anna"}, trust_env=False
    )
    async with host.hubbub.lifespan(), asking as client:
        room = (await client.post("/chat/api/rooms", json={"name": "Garden"})).json()["room"]["id"]
        made = (await client.post("/chat/api/invites", json={"room": room})).json()
    assert made["link"] == f"{origin}/chat/invite#{made['token']}"
