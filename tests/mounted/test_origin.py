"""Whose pages may use what browsers send unasked: the list is asked for, and holds for requests and for WebSockets."""

import itertools
from pathlib import Path

import pytest

from hubbub import Hubbub, Identity
from hubbub.settings import WrongSetting
from tests.mounted.around import ORIGIN, AppAround
from tests.support.asgi_socket import HOST, Socket

COOKIE = {"Cookie": "app=anna"}
ANNA = {"anna": Identity("app", "1", "Anna")}
_numbers = itertools.count(1)
LISTED = "https://app.example.org"
STRANGE = ("https://evil.example", "null", f"{LISTED}.evil.example", "http://127.0.0.1:8001")


async def nobody(_connection: object) -> None:
    return None


def test_without_a_list_of_origins_it_is_not_even_built(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r'needs origins=\[…\].*"https://app.example.org".*ambient=False'):
        Hubbub(authenticate=nobody, data=tmp_path)
    assert Hubbub(authenticate=nobody, data=tmp_path, ambient=False).settings.origins == ()
    assert Hubbub(authenticate=nobody, data=tmp_path, origins=LISTED).settings.origins == (LISTED,)
    assert Hubbub(data=tmp_path).settings.origins == (), "its own accounts know what they are sent"


async def room(around: AppAround, headers: dict[str, str], token: str | None = None) -> int:
    body = {"kind": "public", "name": f"Room {next(_numbers)}"}
    return (await around.ask("POST", "/api/rooms", token, json=body, headers=headers)).status_code


async def test_a_cookie_counts_from_listed_pages_only(tmp_path: Path) -> None:
    around = AppAround(tmp_path, origins=[LISTED])
    around.people = dict(ANNA)
    async with around.hubbub.lifespan():
        for origin in (LISTED, ORIGIN):
            assert await room(around, {**COOKIE, "Origin": origin}) == 201
            socket = Socket(around.hubbub.app, headers={**COOKIE, "Origin": origin})
            assert (await socket.greet())["type"] == "welcome"
            await socket.leave()
        for origin in STRANGE:
            assert await room(around, {**COOKIE, "Origin": origin}) == 403
            for path in ("/ws", "/ws/Anna"):
                socket = Socket(around.hubbub.app, path, {**COOKIE, "Origin": origin})
                assert await socket.status() == 403
                await socket.leave()
        assert await room(around, COOKIE) == 403, "a browser says where the page is from"
        assert await room(around, {**COOKIE, "Sec-Fetch-Site": "cross-site"}) == 403
        assert (await around.ask("GET", "/users/me", headers={**COOKIE, "Origin": STRANGE[0]})).status_code == 200


async def test_a_strange_page_does_not_get_in_by_a_token_of_hello_beside_the_cookie(around: AppAround) -> None:
    around.people = dict(ANNA)
    socket = Socket(around.hubbub.app, headers={**COOKIE, "Origin": STRANGE[0]})
    assert await socket.status() == 403
    await socket.leave()


async def test_a_bearer_token_counts_from_anywhere(around: AppAround) -> None:
    around.people = dict(ANNA)
    for origin in STRANGE:
        assert await room(around, {"Origin": origin}, "anna") == 201
        socket = Socket(around.hubbub.app, headers={"Origin": origin, "Authorization": "Bearer anna"})
        assert (await socket.greet())["type"] == "welcome"
        await socket.leave()
    socket = Socket(around.hubbub.app, headers={"Host": HOST})
    assert (await socket.greet("anna"))["type"] == "welcome", "a program, with its token in hello"
    await socket.leave()


async def test_a_bearer_token_beside_a_cookie_does_not_hide_where_the_page_is_from(around: AppAround) -> None:
    around.people = dict(ANNA)
    for origin in STRANGE:
        both = {**COOKIE, "Origin": origin, "Authorization": "Bearer nobody"}
        assert await room(around, both) == 403
        socket = Socket(around.hubbub.app, headers=both)
        assert await socket.status() == 403
        await socket.leave()


async def test_what_browsers_do_not_send_by_themselves_needs_no_origin(tmp_path: Path) -> None:
    around = AppAround(tmp_path, origins=(), ambient=False)
    around.people = dict(ANNA)
    async with around.hubbub.lifespan():
        for origin in STRANGE:
            socket = Socket(around.hubbub.app, headers={"Origin": origin})
            assert (await socket.greet("anna"))["type"] == "welcome"
            await socket.leave()
            assert await room(around, {"Origin": origin, "Authorization": "Bearer anna"}) == 201


async def test_a_strange_page_does_not_make_its_visitors_speak_as_guests(tmp_path: Path) -> None:
    around = AppAround(tmp_path, origins=(), ambient=False, guests=True)
    async with around.hubbub.lifespan():
        for origin in STRANGE:
            if origin == "null":  # a page from a disk may, where guests are let in
                continue
            socket = Socket(around.hubbub.app, "/ws/Bea", {"Origin": origin})
            assert await socket.status() == 403
            await socket.leave()


async def test_lines_are_for_people_of_the_app_and_for_guests_where_they_are_let_in(tmp_path: Path) -> None:
    around = AppAround(tmp_path, guests=True)
    around.people = dict(ANNA)

    async def first_line(name: str, **headers: str) -> str:
        socket = Socket(around.hubbub.app, f"/ws/{name}", headers)
        assert (await socket.event())["type"] == "websocket.accept"
        said = str((await socket.event())["text"])
        await socket.leave()
        return said

    async with around.hubbub.lifespan():
        assert await first_line("Anna", Cookie="app=anna", Origin=ORIGIN) == "Client #Anna joined the chat."
        assert await first_line("Anna", Authorization="Bearer anna") == "Client #Anna joined the chat."
        told = await first_line("Bea", Authorization="Bearer anna")
        assert told == "Error: The name in the address is not the name of your account."
        assert await first_line("Bea", Origin=ORIGIN) == "Client #Bea joined the chat.", "a guest from a listed page"
        assert await first_line("Bea", Origin="null") == "Client #Bea joined the chat.", "a guest from no page"
        # What a browser sends along from a page on a disk does not count: whoever that is comes as a guest, or not.
        assert "joined" not in await first_line("Anna", Cookie="app=anna", Origin="null")
