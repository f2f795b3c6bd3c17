"""Origins that may use ambient credentials, over HTTP and WebSockets."""

import itertools
from pathlib import Path

import pytest

from hubbub import Hubbub, Identity
from hubbub.settings import WrongSetting
from tests.mounted.host_app import ORIGIN, HostApp
from tests.support.asgi_socket import HOST, Socket

COOKIE = {"Cookie": "app=anna"}
ANNA = {"anna": Identity("app", "1", "Anna")}
_numbers = itertools.count(1)
LISTED = "https://app.example.org"
STRANGE = ("https://evil.example", "null", f"{LISTED}.evil.example", "http://127.0.0.1:8001")


async def no_user(_connection: object) -> None:
    return None


def test_authenticate_without_a_list_of_origins_is_refused_in_the_constructor(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r'needs origins=\[…\].*"https://app.example.org".*ambient=False'):
        Hubbub(authenticate=no_user, data=tmp_path)
    assert Hubbub(authenticate=no_user, data=tmp_path, ambient=False).settings.origins == ()
    assert Hubbub(authenticate=no_user, data=tmp_path, origins=LISTED).settings.origins == (LISTED,)
    assert Hubbub(data=tmp_path).settings.origins == (), "with its own accounts, Hubbub needs no list"


async def room(host: HostApp, headers: dict[str, str], token: str | None = None) -> int:
    body = {"kind": "public", "name": f"Room {next(_numbers)}"}
    return (await host.ask("POST", "/api/rooms", token, json=body, headers=headers)).status_code


async def test_a_cookie_is_accepted_from_listed_origins_only(tmp_path: Path) -> None:
    host = HostApp(tmp_path, origins=[LISTED])
    host.people = dict(ANNA)
    async with host.hubbub.lifespan():
        for origin in (LISTED, ORIGIN):
            assert await room(host, {**COOKIE, "Origin": origin}) == 201
            socket = Socket(host.hubbub.app, headers={**COOKIE, "Origin": origin})
            assert (await socket.greet())["type"] == "welcome"
            await socket.leave()
        for origin in STRANGE:
            assert await room(host, {**COOKIE, "Origin": origin}) == 403
            for path in ("/ws", "/ws/Anna"):
                socket = Socket(host.hubbub.app, path, {**COOKIE, "Origin": origin})
                assert await socket.status() == 403
                await socket.leave()
        assert await room(host, COOKIE) == 403, "a browser sends the origin"
        assert await room(host, {**COOKIE, "Sec-Fetch-Site": "cross-site"}) == 403
        assert (await host.ask("GET", "/users/me", headers={**COOKIE, "Origin": STRANGE[0]})).status_code == 200


async def test_a_foreign_page_with_a_cookie_is_refused_before_hello(host: HostApp) -> None:
    host.people = dict(ANNA)
    socket = Socket(host.hubbub.app, headers={**COOKIE, "Origin": STRANGE[0]})
    assert await socket.status() == 403
    await socket.leave()


async def test_a_bearer_token_is_accepted_from_any_origin(host: HostApp) -> None:
    host.people = dict(ANNA)
    for origin in STRANGE:
        assert await room(host, {"Origin": origin}, "anna") == 201
        socket = Socket(host.hubbub.app, headers={"Origin": origin, "Authorization": "Bearer anna"})
        assert (await socket.greet())["type"] == "welcome"
        await socket.leave()
    socket = Socket(host.hubbub.app, headers={"Host": HOST})
    assert (await socket.greet("anna"))["type"] == "welcome", "a program sends its token in hello"
    await socket.leave()


async def test_a_bearer_token_beside_a_cookie_does_not_lift_the_origin_check(host: HostApp) -> None:
    host.people = dict(ANNA)
    for origin in STRANGE:
        both = {**COOKIE, "Origin": origin, "Authorization": "Bearer no_user"}
        assert await room(host, both) == 403
        socket = Socket(host.hubbub.app, headers=both)
        assert await socket.status() == 403
        await socket.leave()


async def test_without_ambient_credentials_any_origin_is_accepted(tmp_path: Path) -> None:
    host = HostApp(tmp_path, origins=(), ambient=False)
    host.people = dict(ANNA)
    async with host.hubbub.lifespan():
        for origin in STRANGE:
            socket = Socket(host.hubbub.app, headers={"Origin": origin})
            assert (await socket.greet("anna"))["type"] == "welcome"
            await socket.leave()
            assert await room(host, {"Origin": origin, "Authorization": "Bearer anna"}) == 201


async def test_a_foreign_page_cannot_make_its_visitors_write_as_guests(tmp_path: Path) -> None:
    host = HostApp(tmp_path, origins=(), ambient=False, guests=True)
    async with host.hubbub.lifespan():
        for origin in STRANGE:
            socket = Socket(host.hubbub.app, "/ws/Bea", {"Origin": origin})
            assert await socket.status() == 403
            await socket.leave()


async def test_plain_text_admits_users_of_the_host_application_and_guests_if_enabled(tmp_path: Path) -> None:
    host = HostApp(tmp_path, guests=True, guests_from_files=True)
    host.people = dict(ANNA)

    async def first_line(name: str, **headers: str) -> str:
        socket = Socket(host.hubbub.app, f"/ws/{name}", headers)
        assert (await socket.event())["type"] == "websocket.accept"
        said = str((await socket.event())["text"])
        await socket.leave()
        return said

    async with host.hubbub.lifespan():
        assert await first_line("Anna", Cookie="app=anna", Origin=ORIGIN) == "Client #Anna joined the chat."
        assert await first_line("Anna", Authorization="Bearer anna") == "Client #Anna joined the chat."
        told = await first_line("Bea", Authorization="Bearer anna")
        assert told == "Error: The name in the address is not the name of your account."
        assert await first_line("Bea", Origin=ORIGIN) == "Client #Bea joined the chat.", "a guest from a listed page"
        assert await first_line("Bea", Origin="null") == "Client #Bea joined the chat.", "a guest from no page"
        # A cookie that a browser sends from a page on a disk is ignored: the connection is a
        # guest's or is refused.
        assert "joined" not in await first_line("Anna", Cookie="app=anna", Origin="null")
