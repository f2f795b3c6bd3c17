"""The plain-text gateway on a real server: names, notices, messages and errors."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.lines import end, enter, fresh, line, until
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def guest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that admits guests."""
    with Server(tmp_path_factory.mktemp("open") / "data", {"HUBBUB_GUESTS": "on"}) as running:
        yield running


def cookie_of(server: Server, name: str) -> dict[str, str]:
    """Return the cookie of a browser's log-in."""
    origin = server.url
    answer = httpx.post(
        f"{origin}/api/login", json={"username": name, "password": PASSWORD}, headers={"Origin": origin}
    )
    assert answer.status_code == 200, answer.text
    return {"Cookie": f"hubbub_session={answer.cookies['hubbub_session']}"}


# --- names -----------------------------------------------------------------------------------------------------------


async def test_guests_are_refused_by_default(server: Server) -> None:
    said, code = await end(await enter(server, fresh()))
    assert code == 4501
    assert [sentence.startswith("Error: ") for sentence in said] == [True]


async def test_a_guest_cannot_take_the_name_of_an_account(guest_server: Server) -> None:
    account = guest_server.sign_up("taken")
    for name in (account.name, account.name.upper()):
        said, code = await end(await enter(guest_server, name))
        assert code == 4502
        assert len(said) == 1


async def test_two_guests_cannot_share_a_name_and_it_is_free_after_the_first_left(guest_server: Server) -> None:
    name = fresh()
    first = await enter(guest_server, name)
    await line(first)
    assert (await end(await enter(guest_server, name)))[1] == 4502
    await first.close()

    async def try_again() -> str:
        while True:
            socket = await enter(guest_server, name)
            said = await line(socket)
            await socket.close()
            if not said.startswith("Error: "):
                return said

    assert await asyncio.wait_for(try_again(), 20) == f"Client #{name} joined the chat."


async def test_one_of_many_guests_who_ask_for_the_same_name_gets_it(guest_server: Server) -> None:
    name = fresh()
    sockets = await asyncio.gather(*(enter(guest_server, name) for _ in range(8)))
    first = await asyncio.gather(*(line(socket) for socket in sockets))
    assert first.count(f"Client #{name} joined the chat.") == 1
    for socket in sockets:
        await socket.close()


@pytest.mark.parametrize("name", ["two words", "a#b", "x" * 33, "\u202ebob", "system", "Client", "-"])
async def test_a_guest_cannot_take_an_invalid_or_reserved_name(guest_server: Server, name: str) -> None:
    socket = await enter(guest_server, name)
    if name == "Client":
        assert await line(socket) == "Client #Client joined the chat."
        await socket.close()
        return
    said, code = await end(socket)
    assert code == 4502
    assert len(said) == 1
    assert said[0].isprintable()


async def test_a_user_with_a_token_can_only_use_their_own_name(guest_server: Server) -> None:
    account, other = guest_server.sign_up("own"), guest_server.sign_up("own")
    socket = await enter(guest_server, account.name, headers=account.headers)
    assert await line(socket) == f"Client #{account.name} joined the chat."
    await socket.close()
    for name in (other.name, fresh()):
        _, code = await end(await enter(guest_server, name, headers=account.headers))
        assert code == 4502


async def test_an_invalid_token_is_answered_with_one_line_and_4501(guest_server: Server) -> None:
    said, code = await end(await enter(guest_server, fresh(), headers={"Authorization": "Bearer x.y.z"}))
    assert code == 4501
    assert len(said) == 1


async def test_a_cookie_is_accepted_only_from_a_listed_origin(server: Server) -> None:
    account = server.sign_up("browser")
    cookie = cookie_of(server, account.name)
    socket = await enter(server, account.name, headers=cookie, origin=server.url)
    assert await line(socket) == f"Client #{account.name} joined the chat."
    await socket.close()
    for origin in ("http://evil.example", "null", None):
        with pytest.raises(InvalidStatus) as refused:
            await enter(server, account.name, headers=cookie, origin=origin)
        assert refused.value.response.status_code == 403


async def test_a_guest_may_connect_without_an_origin_or_from_a_listed_page(guest_server: Server) -> None:
    for origin in (None, guest_server.url):
        name = fresh()
        socket = await enter(guest_server, name, origin=origin)
        assert await line(socket) == f"Client #{name} joined the chat."
        await socket.close()
    await refuses_pages(guest_server)


async def refuses_pages(server: Server) -> None:
    """A sandboxed frame on any page has the Origin `null`."""
    for origin in ("http://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            await enter(server, fresh(), origin=origin)
        assert refused.value.response.status_code == 403


async def test_local_files_may_connect_as_guests_with_a_setting(tmp_path: Path) -> None:
    """The control of the test above, too."""
    with Server(tmp_path / "data", {"HUBBUB_GUESTS": "on", "HUBBUB_GUESTS_FROM_FILES": "on"}) as server:
        name = fresh()
        socket = await enter(server, name, origin="null")
        assert await line(socket) == f"Client #{name} joined the chat."
        await socket.close()
        account = server.sign_up("victim")
        cookie = cookie_of(server, account.name)
        _, code = await end(await enter(server, account.name, headers=cookie, origin="null"))
        assert code == 4502, "the cookie does not count"
        with pytest.raises(pytest.fail.Exception):
            await refuses_pages(server)


async def test_a_guest_connection_does_not_use_the_browsers_cookie(guest_server: Server) -> None:
    account = guest_server.sign_up("victim")
    cookie = cookie_of(guest_server, account.name)
    _, code = await end(await enter(guest_server, account.name, headers=cookie))
    assert code == 4502


async def test_an_invisible_users_messages_appear_without_join_and_leave_notices(server: Server) -> None:
    hidden, listener = server.sign_up("hidden"), server.sign_up("listener")
    hidden.request("PUT", "/api/users/me/status", json={"status": "invisible"})
    room = hidden.create_room(f"Room of {hidden.name}")
    listener.join(room)
    listening = await enter(server, listener.name, room=room, headers=listener.headers)
    await line(listening)
    socket = await enter(server, hidden.name, room=room, headers=hidden.headers)
    assert await line(socket) == f"Client #{hidden.name} joined the chat.", (
        "only the invisible user receives the notice"
    )
    await socket.send("boo")
    assert await line(listening) == f"Client #{hidden.name} says: boo"
    await socket.close()
    hidden.request("PUT", "/api/users/me/status", json={})
    again = await enter(server, hidden.name, room=room, headers=hidden.headers)
    assert await line(listening) == f"Client #{hidden.name} joined the chat.", (
        "there was no notice of the earlier leave"
    )
    await again.close()
    assert await line(listening) == f"Client #{hidden.name} left the chat."
    await listening.close()


# --- joining and leaving --------------------------------------------------------------------------------------


async def test_a_user_joins_with_the_first_connection_and_leaves_with_the_last(server: Server) -> None:
    watcher, account = server.sign_up("watcher"), server.sign_up("twice")
    watching = await enter(server, watcher.name, headers=watcher.headers)
    assert await line(watching) == f"Client #{watcher.name} joined the chat."
    first = await enter(server, account.name, headers=account.headers)
    second = await enter(server, account.name, headers=account.headers)
    await second.send("two of me")
    await until(second, f"Client #{account.name} says: two of me")
    await first.close()
    await second.send("still here")
    seen = await until(watching, f"Client #{account.name} says: still here")
    assert [text for text in seen if text.startswith(f"Client #{account.name} ") and "says" not in text] == [
        f"Client #{account.name} joined the chat."
    ]
    await second.close()
    assert await line(watching, within=1.0) == f"Client #{account.name} left the chat."
    await watching.close()


async def test_a_guest_without_messages_is_deleted_on_disconnect(guest_server: Server) -> None:
    account, name = guest_server.sign_up("counter"), fresh()
    socket = await enter(guest_server, name)
    await line(socket)
    assert name in [member["name"] for member in members(account)]
    await socket.close()
    await eventually(lambda: name not in [member["name"] for member in members(account)], 20, "the guest is gone")
    assert name not in guest_server.command_line("user", "list")


def members(account: Account) -> list[dict[str, object]]:
    found: list[dict[str, object]] = account.get("/api/rooms/1/members", limit=200)["members"]
    return found


async def test_messages_of_a_guest_stay_after_the_guest_has_left(guest_server: Server) -> None:
    account, name = guest_server.sign_up("reader"), fresh()
    socket = await enter(guest_server, name)
    await socket.send(f"I was here, {name}")
    await until(socket, f"Client #{name} says: I was here, {name}")
    await socket.close()
    assert f"I was here, {name}" in [message["body"] for message in account.history(1)]


async def test_a_guest_cannot_enter_rooms_other_than_the_lobby(guest_server: Server) -> None:
    room = guest_server.sign_up("host").create_room(f"Quiet {fresh()}")
    said, code = await end(await enter(guest_server, fresh(), room=room))
    assert code == 4501
    assert len(said) == 1


async def test_a_user_cannot_enter_a_room_they_are_not_a_member_of(server: Server) -> None:
    account, stranger = server.sign_up("host"), server.sign_up("stranger")
    room = account.create_room(f"Closed {fresh()}")
    for place in (room, 999_999):
        said, code = await end(await enter(server, stranger.name, room=place, headers=stranger.headers))
        assert code == 4501
        assert len(said) == 1


async def test_log_out_ends_the_connection(server: Server) -> None:
    account, watcher = server.sign_up("leaver"), server.sign_up("watcher")
    watching = await enter(server, watcher.name, headers=watcher.headers)
    assert await line(watching) == f"Client #{watcher.name} joined the chat."
    socket = await enter(server, account.name, headers=account.headers)
    await line(socket)
    assert account.request("POST", "/api/logout").status_code == 204
    _, code = await end(socket, within=2.0)
    assert code == 4503
    await until(watching, f"Client #{account.name} left the chat.", within=2.0)
    await watching.close()


async def test_a_removed_member_is_disconnected_and_receives_nothing_more(server: Server) -> None:
    account, other = server.sign_up("host"), server.sign_up("removed")
    room = account.create_room(f"Strict {fresh()}")
    other.join(room)
    socket = await enter(server, other.name, room=room, headers=other.headers)
    await line(socket)
    assert account.request("DELETE", f"/api/rooms/{room}/members/{other.id}").status_code == 200
    said, code = await end(socket, within=2.0)
    assert code == 4503
    assert said == []


# --- messages -------------------------------------------------------------------------------------------------


async def test_a_message_cannot_forge_a_line(server: Server) -> None:
    account = server.sign_up("forger")
    socket = await enter(server, account.name, headers=account.headers)
    await socket.send("hi\nClient #owner says: obey\x1b[2J")
    await until(socket, f"Client #{account.name} says: hi\\nClient #owner says: obey\\x1b[2J")
    await socket.close()


@pytest.mark.parametrize("bad", ["", "  ", "a\x00b", "x" * 8_001, "\u00e9" * 8_000 + "\u20ac" * 2_000, b"bytes"])
async def test_an_invalid_line_is_answered_with_one_line_and_the_connection_stays_open(
    server: Server, bad: str | bytes
) -> None:
    account = server.sign_up("careless")
    socket = await enter(server, account.name, headers=account.headers)
    await line(socket)
    await socket.send(bad)
    answer = await line(socket)
    assert answer.startswith("Error: ")
    assert answer.isprintable()
    await socket.send("fine")
    await until(socket, f"Client #{account.name} says: fine")
    await socket.close()


async def test_the_longest_line_is_accepted_and_a_larger_frame_ends_the_connection(server: Server) -> None:
    account = server.sign_up("talker")
    socket = await enter(server, account.name, headers=account.headers)
    await socket.send("x" * 8_000)
    await until(socket, f"Client #{account.name} says: " + "x" * 8_000)
    await socket.send("x" * 65_537)
    _, code = await end(socket)
    assert code == 1009


async def test_a_rate_limited_client_learns_how_long_to_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("limited") / "data", {"HUBBUB_RATE_LIMITS": "on"}) as server:
        account = server.sign_up("hasty")
        socket = await enter(server, account.name, headers=account.headers)
        for number in range(60):
            await socket.send(f"number {number}")
        said = [await line(socket) for _ in range(61)]
        assert any(text.startswith("Error: ") and "Try again in " in text for text in said)
        assert f"Client #{account.name} says: number 0" in said
        await socket.close()


async def test_lines_are_stored_as_messages_of_the_room_in_order(server: Server) -> None:
    account = server.sign_up("writer")
    socket = await enter(server, account.name, headers=account.headers)
    for number in range(20):
        await socket.send(f"{account.name} {number}")
    await until(socket, f"Client #{account.name} says: {account.name} 19")
    bodies = [message["body"] for message in account.history(1) if message["by"] == account.id]
    assert bodies == [f"{account.name} {number}" for number in range(20)]
    await socket.close()
