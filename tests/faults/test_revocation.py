"""Users who lose a right stop receiving within a second and stay out."""

import asyncio
import random
from collections.abc import Callable

import httpx
import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.support import depth
from tests.support.checker import leaks, memberships, unheard
from tests.support.client import ClosedError, Connection, RefusedError, outcome
from tests.support.server import PASSWORD, Account, Server
from tests.support.timing import three_attempts, within

pytestmark = [pytest.mark.faults, BOTH_DATABASES]

WITHIN = 1.0
PATIENCE = 20.0
BROKEN = ("-m", "tests.support.broken_server")


# -- sessions


async def ends_in_time(connection: Connection, codes: tuple[int, ...]) -> None:
    """Assert that the server closes the socket within a second.

    The close has one of the codes or is an abort.
    """
    with within(WITHIN):
        code = await connection.wait_closed(PATIENCE)
    assert code in (*codes, 1006), code


def is_refused_everywhere(account: Account, password_works: bool = True) -> None:
    """Assert that the tokens, and the password unless it works, are refused."""
    for method, path in (
        ("GET", "/users/me"),
        ("GET", "/api/rooms"),
        ("GET", "/api/sessions"),
        ("POST", "/api/logout"),
    ):
        answer = account.request(method, path)
        assert answer.status_code == 401, f"{method} {path} → {answer.status_code}"
        assert answer.json()["error"]["code"] == "unauthenticated"
    assert account.try_refresh().status_code == 401
    assert (account.try_log_in().status_code == 200) == password_works


async def hello_is_refused(account: Account) -> None:
    with pytest.raises(ClosedError) as closed:
        await Connection.open(account.server.websocket_url, account.token)
    assert closed.value.code == 4501


@three_attempts
async def test_log_out_closes_the_sockets_of_its_session_and_no_others(server: Server) -> None:
    account = server.sign_up()
    elsewhere = server.log_in(account.name)
    sockets = [await Connection.open(server.websocket_url, account.token) for _ in range(3)]
    other = await Connection.open(server.websocket_url, elsewhere.token)
    assert account.request("POST", "/api/logout").status_code == 204
    for socket in sockets:
        await ends_in_time(socket, (4503,))
    is_refused_everywhere(account)
    await hello_is_refused(account)
    await other.ping()
    await other.close()


@three_attempts
async def test_a_new_password_ends_all_other_sessions(server: Server) -> None:
    account = server.sign_up()
    elsewhere = server.log_in(account.name)
    kept = await Connection.open(server.websocket_url, account.token)
    ended = await Connection.open(server.websocket_url, elsewhere.token)
    change = {"current_password": PASSWORD, "new_password": "another horse, another battery"}
    assert account.request("PUT", "/api/users/me/password", json=change).status_code == 204
    await ends_in_time(ended, (4503,))
    is_refused_everywhere(elsewhere, password_works=False)
    await hello_is_refused(elsewhere)
    await kept.ping()
    await kept.close()
    assert account.request("GET", "/users/me").status_code == 200


@three_attempts
async def test_deleting_a_session_closes_its_sockets(server: Server) -> None:
    account = server.sign_up()
    elsewhere = server.log_in(account.name)
    ended = await Connection.open(server.websocket_url, elsewhere.token)
    sessions = account.get("/api/sessions")["sessions"]
    (session,) = [session for session in sessions if session["id"] == ended.welcome["session"]]
    assert not session["current"]
    stranger = server.sign_up()
    assert stranger.request("DELETE", f"/api/sessions/{session['id']}").status_code == 404
    await ended.ping()
    assert account.request("DELETE", f"/api/sessions/{session['id']}").status_code == 204
    await ends_in_time(ended, (4503,))
    is_refused_everywhere(elsewhere)
    await hello_is_refused(elsewhere)


@three_attempts
async def test_a_disabled_user_is_disconnected_within_a_second_and_stays_out(server: Server) -> None:
    account = server.sign_up()
    sockets = [await Connection.open(server.websocket_url, account.token) for _ in range(2)]
    await asyncio.to_thread(server.command_line, "user", "disable", account.name)
    for socket in sockets:
        await ends_in_time(socket, (4510,))
    is_refused_everywhere(account, password_works=False)
    await hello_is_refused(account)
    await asyncio.to_thread(server.command_line, "user", "enable", account.name)
    again = await Connection.open(server.websocket_url, server.log_in(account.name).token)
    await again.close()


@three_attempts
async def test_log_out_ends_a_browser_session_and_revokes_its_cookie(server: Server) -> None:
    account = server.sign_up()
    origin = {"Origin": server.url}
    async with httpx.AsyncClient(base_url=server.url, headers=origin) as browser:
        logged_in = await browser.post("/api/login", json={"username": account.name, "password": PASSWORD})
        assert logged_in.status_code == 200, logged_in.text
        cookie = {"Cookie": f"hubbub_session={browser.cookies['hubbub_session']}"}
        socket = await Connection.open(server.websocket_url, None, origin=server.url, additional_headers=cookie)
        assert (await browser.post("/api/logout")).status_code == 204
        await ends_in_time(socket, (4503,))
        stolen = await browser.get("/users/me", headers=cookie)
        assert stolen.status_code == 401
    with pytest.raises(ClosedError) as closed:
        await Connection.open(server.websocket_url, None, origin=server.url, additional_headers=cookie)
    assert closed.value.code == 4501


@three_attempts
async def test_reusing_a_refresh_token_after_its_successor_ends_the_session(server: Server) -> None:
    account = server.sign_up()
    socket = await Connection.open(server.websocket_url, account.token)
    first = account.try_refresh().json()["refresh_token"]
    second = account.try_refresh(first)
    assert second.status_code == 200, second.text
    assert account.try_refresh().status_code == 401, "an old refresh token may be stolen"
    await ends_in_time(socket, (4503,))
    assert account.try_refresh(second.json()["refresh_token"]).status_code == 401, (
        "the newest token ends with the session"
    )


# -- memberships


async def loses_the_room(server: Server, depart: Callable[[Account, Account, int], httpx.Response]) -> None:
    """Assert that after `depart` the member's open socket gets nothing of the room."""
    creator, member = server.sign_up(), server.sign_up()
    room = creator.create_room(f"departures {random.getrandbits(40):x}")
    member.join(room)
    topic = f"room:{room}"
    async with (
        await Connection.open(server.websocket_url, member.token) as socket,
        await Connection.open(server.websocket_url, creator.token) as speaker,
    ):
        await speaker.command("message.send", room=room, key="before", body="before")
        gone = await asyncio.to_thread(depart, creator, member, room)
        assert gone.status_code == 200, gone.text
        await speaker.command("message.send", room=room, key="after", body="after")
        await socket.ping()
        heard = [frame for frame in socket.frames if frame.get("topic") == topic]
        assert [frame["body"] for frame in heard if frame["type"] == "message.sent"] == ["before"]
        assert [frame["room"] for frame in socket.of_type("room.removed")] == [room]
        with pytest.raises(RefusedError) as refused:
            await socket.command("events.since", topic=topic, after=0)
        assert refused.value.code in ("forbidden", "not_found")
        assert not leaks(creator.log(topic), member.id, heard)
    for path in (f"/api/rooms/{room}/messages", f"/api/topics/{topic}/events?after=0"):
        assert member.request("GET", path).status_code in (403, 404), path
    async with await Connection.open(server.websocket_url, member.token, have={topic: 1}) as again:
        assert topic not in again.welcome["heads"], "a position gives no access"
        await speak_and_expect_only_a_reset(creator, room, again)


async def speak_and_expect_only_a_reset(speaker: Account, room: int, socket: Connection) -> None:
    body = {"key": f"k{random.getrandbits(40):x}", "body": "not for you"}
    answer = await asyncio.to_thread(speaker.request, "POST", f"/api/rooms/{room}/messages", json=body)
    assert answer.status_code == 201, answer.text
    await socket.ping()
    # A "reset" for a topic the user has no access to tells the client to drop it. It holds nothing
    # of the room.
    assert [frame for frame in socket.frames if frame.get("topic") == f"room:{room}"] == [
        {"type": "reset", "topic": f"room:{room}"}
    ]


async def test_a_member_who_leaves_receives_no_more_of_the_room(server: Server) -> None:
    await loses_the_room(server, lambda _, member, room: member.request("POST", f"/api/rooms/{room}/leave"))


async def test_a_removed_member_receives_no_more_of_the_room(server: Server) -> None:
    def remove(creator: Account, member: Account, room: int) -> httpx.Response:
        return creator.request("DELETE", f"/api/rooms/{room}/members/{member.id}")

    await loses_the_room(server, remove)


async def joining_and_leaving(server: Server, rounds: int) -> list[str]:
    """Submit a send, a removal and a send at once, repeatedly.

    Return what was leaked or missed.
    """
    creator, member, witness = server.sign_up(), server.sign_up(), server.sign_up()
    room = creator.create_room(f"joins and removals {random.getrandbits(40):x}")
    witness.join(room)
    topic = f"room:{room}"
    creator_socket = await Connection.open(server.websocket_url, creator.token)
    member_socket = await Connection.open(server.websocket_url, member.token)
    witness_socket = await Connection.open(server.websocket_url, witness.token)
    for number in range(rounds):
        await member_socket.command("room.join", room=room)
        batch = [
            await creator_socket.post("message.send", room=room, key=f"a{number}", body="for the member too"),
            await creator_socket.post("member.remove", room=room, user=member.id),
            await creator_socket.post("message.send", room=room, key=f"b{number}", body="not for the member"),
        ]
        for reply in await asyncio.gather(*batch):
            outcome(reply)
    for socket in (member_socket, witness_socket):
        await socket.ping()
    log = creator.log(topic)
    found = []
    for account, socket in ((member, member_socket), (witness, witness_socket)):
        heard = [frame for frame in socket.frames if frame.get("topic") == topic]
        found += leaks(log, account.id, heard) + unheard(log, account.id, heard)
        await socket.close()
    await creator_socket.close()
    assert len(memberships(log, member.id)) == rounds
    return found


async def test_a_send_a_removal_and_a_send_at_once_reach_exactly_the_members_of_that_moment(server: Server) -> None:
    assert not await joining_and_leaving(server, depth.rounds("removals", short=30, long=1_000))


async def test_control_a_server_that_keeps_removed_members_subscribed_leaks_events(make_server: MakeServer) -> None:
    server = make_server({"BROKEN": "keep-subscribed"}, BROKEN)
    await asyncio.to_thread(server.start)
    found = await joining_and_leaving(server, 5)
    assert any(sentence.startswith("I8") for sentence in found), found
