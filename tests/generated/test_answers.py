"""Every REST route gives every documented answer, in the documented form."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from hubbub.domain.text import MAX_ROOMS
from tests.generated.contract import operations, responses
from tests.generated.recorder import (
    BODIES,
    MISSING_BODIES,
    MISSING_IDS,
    QUERIES,
    TOO_MUCH,
    WRONG,
    Recorder,
    World,
    check,
    documented,
    numbers,
)
from tests.support.server import PASSWORD, Account, Server

CHANGING = {operation for operation, (method, _) in operations().items() if method != "GET"}
UNPROVOKED = {500, 503}
"""Documented for all routes.

A bug, a full queue, an unreachable database. Other tests cause those.
"""


@pytest.fixture(scope="module")
def recorder(server: Server) -> Iterator[Recorder]:
    seen = Recorder(server.url)
    world = World(server)
    for part in (without_permission, invalid_requests, missing_objects, conflicts, valid_requests, log_outs):
        part(seen, world)
    yield seen
    seen.close()


def without_permission(recorder: Recorder, world: World) -> None:
    """Send requests without credentials, without permission, and cross-origin."""
    cookie = world.cookie(recorder)
    wrong = {"username": "nobody", "password": PASSWORD}
    away = {"X-Forwarded-For": "203.0.113.9"}
    recorder.ask("log_in", json=wrong)
    recorder.ask("create_token", data=wrong)
    recorder.ask("refresh_token", json={"refresh_token": "none"})
    recorder.ask("metrics", headers=away)
    recorder.ask("metrics", world.alice, headers=away)
    recorder.ask("list_invites", world.alice)
    recorder.ask("list_bans", world.bob, fill={"room": world.room})
    recorder.ask("reset_password", json={"token": "none", "password": PASSWORD})
    recorder.ask("create_user", json={"username": "late", "password": PASSWORD, "invite": "none"})
    for operation in set(documented(401)) - {"log_in", "create_token", "refresh_token", "metrics"}:
        assert recorder.ask(operation, json=BODIES.get(operation)).status_code == 401, operation
    guest = world.server.sign_up("guest")
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        database.execute("UPDATE users SET role = 'guest' WHERE id = ?", (guest.id,))  # as a host application may do
    recorder.ask("list_users", guest)
    for operation in set(documented(403)) & set(documented(401)) & CHANGING:
        assert recorder.ask(operation, headers=cookie, json=BODIES.get(operation)).status_code == 403, operation


def invalid_requests(recorder: Recorder, world: World) -> None:
    """Send invalid paths, queries and bodies, and bodies that are too large."""
    for operation in documented(400):
        method, path = operations()[operation]
        wrong: dict[str, Any] = {"fill": WRONG}
        if method == "GET" and not re.search(r"\{(room|user|topic)", path):
            wrong = {"params": {"limit": 0}}
        elif "{" not in path:
            wrong = {"json": {"username": 1, "password": 1, "name": 1, "max_uses": "x", "status": 1}}
        assert recorder.ask(operation, world.owner, **wrong).status_code == 400, operation
    for operation in documented(413):
        form = operation in ("create_token", "refresh_token")
        large: dict[str, Any] = {"data": {"username": TOO_MUCH}} if form else {"json": {"name": TOO_MUCH}}
        assert recorder.ask(operation, world.owner, **large).status_code == 413, operation


def missing_objects(recorder: Recorder, world: World) -> None:
    for operation in documented(404):
        absent = {
            "fill": MISSING_IDS,
            "params": QUERIES.get(operation),
            "json": MISSING_BODIES.get(operation, BODIES.get(operation)),
        }
        assert recorder.ask(operation, world.bob if "room" in operation else world.owner, **absent).status_code == 404


def conflicts(recorder: Recorder, world: World) -> None:
    alice, fill = world.alice, {"room": world.room}
    recorder.ask("create_user", json={"username": alice.name, "password": PASSWORD})
    recorder.ask("create_room", alice, json={"name": "A room"})
    recorder.ask("update_room", alice, fill={"room": alice.create_room("Another name")}, json={"name": "A room"})
    recorder.ask("send_message", alice, fill=fill, json={"key": "k", "body": "something else"})
    for uses in (1, 2):
        recorder.ask("create_invite", world.owner, json={"key": "k", "max_uses": uses})


def valid_requests(recorder: Recorder, world: World) -> None:
    """Send valid requests, some of them twice where the second answer differs."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    for operation in ("welcome", "show_site", "health", "ready", "metrics"):
        assert recorder.ask(operation).status_code == 200
    assert "<" in recorder.ask("welcome", headers={"Accept": "text/html"}).text
    name = f"carol{next(numbers)}"
    recorder.ask("create_user", json={"username": name, "password": PASSWORD})
    tokens = recorder.ask("create_token", data={"username": name, "password": PASSWORD}).json()
    recorder.ask("refresh_token", data={"refresh_token": tokens["refresh_token"]})
    recorder.ask("set_status", alice, json={"status": "dnd", "text": "Lunch", "emoji": "🍜"})
    recorder.ask("set_status", alice, json={})
    recorder.ask("show_presence", bob, params={"user": [1, 2]})
    for operation in ("show_me", "show_current_user", "list_rooms", "list_sessions"):
        recorder.ask(operation, alice)
    for operation in ("show_room", "list_members", "list_messages", "list_online"):
        recorder.ask(operation, alice, fill=fill)
    recorder.ask("show_user", alice, fill={"user": bob.id})
    rooms(recorder, world)
    for key in ("a", "b"):
        recorder.ask("send_message", alice, fill=fill, json={"key": key, "body": "hello"})
    for _ in range(2):
        recorder.ask("read_room", bob, fill=fill, json={"seq": world.message["seq"]})
    attention(recorder, world)
    messages(recorder, world)
    for epoch in (None, "another"):
        recorder.ask(
            "list_events", alice, fill={"topic": f"user:{alice.id}"}, params={"after": 0, "epoch": epoch or ""}
        )
    members(recorder, world)
    token = recorder.ask("create_invite", world.owner, json={}).json()
    recorder.ask("check_invite", json={"token": token["token"]})
    recorder.ask("list_invites", world.owner)
    recorder.ask("revoke_invite", world.owner, fill={"invite": token["id"]})


def rooms(recorder: Recorder, world: World) -> None:
    """Create, change, archive and restore rooms."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    recorder.ask("show_room", outsider(world), fill=fill)
    recorder.ask("create_room", alice, json={"name": "Another room"})
    recorder.ask("create_room", alice, json={"kind": "direct", "members": [bob.id]})
    for operation in ("update_room", "set_room_preferences", "archive_room", "restore_room"):
        for _ in range(2):
            recorder.ask(operation, alice, fill=fill, json=BODIES.get(operation))
    recorder.ask("list_users", alice)


def messages(recorder: Recorder, world: World) -> None:
    """Reply to, forward, pin, edit and delete a message."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    reply = {"key": "reply", "body": "hello to you", "reply_to": world.message["seq"]}
    seq = recorder.ask("send_message", alice, fill=fill, json=reply).json()["seq"]
    it = {**fill, "message": seq}
    forward = {"key": "forward", "from_room": world.room, "message": seq}
    recorder.ask("forward_message", alice, fill=fill, json=forward)
    recorder.ask("forward_message", alice, fill=fill, json={**forward, "message": seq + 1})
    for operation in ("pin_message", "list_pins", "edit_message", "list_edits", "show_message", "list_messages"):
        for _ in range(2):
            recorder.ask(operation, alice, fill=it, json=BODIES.get(operation))
    recorder.ask("list_edits", bob, fill=it)
    for operation in ("unpin_message", "delete_message"):
        for _ in range(2):
            recorder.ask(operation, alice, fill=it)
    for operation in ("edit_message", "pin_message", "add_reaction", "show_message"):
        recorder.ask(operation, alice, fill=it, json=BODIES.get(operation))


def members(recorder: Recorder, world: World) -> None:
    """Promote, remove, ban and add a member, who then leaves."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    bobs = {**fill, "user": bob.id}
    recorder.ask("set_member_role", alice, fill=bobs, json={"role": "moderator"})
    closed = world.server.sign_up("closed")
    recorder.ask("add_member", alice, fill={**fill, "user": closed.id})
    world.server.command_line("user", "disable", closed.name)
    recorder.ask("set_member_role", alice, fill={**fill, "user": closed.id}, json={"role": "owner"})
    recorder.ask("remove_member", alice, fill=bobs)
    recorder.ask("ban_member", alice, fill=bobs, json={"reason": "enough"})
    recorder.ask("list_bans", alice, fill=fill)
    recorder.ask("add_member", alice, fill=bobs)
    recorder.ask("unban_member", alice, fill=bobs)
    recorder.ask("add_member", alice, fill=bobs)
    recorder.ask("leave_room", bob, fill=fill)
    into = recorder.ask("create_invite", alice, json=fill).json()
    recorder.ask("check_invite", json={"token": into["token"]})
    with in_maximum_rooms(world, bob):
        recorder.ask("accept_invite", bob, json={"token": into["token"]})
        recorder.ask("join_room", bob, fill=fill)
    recorder.ask("accept_invite", bob, json={"token": into["token"]})
    recorder.ask("join_room", bob, fill=fill)
    recorder.ask("leave_room", bob, fill=fill)


@contextmanager
def in_maximum_rooms(world: World, who: Account) -> Iterator[None]:
    """Insert the maximum of rooms for a user, directly into the database, which is fast."""
    far = 10**12
    rows = [(far + number, who.id) for number in range(MAX_ROOMS)]
    rooms = "INSERT INTO rooms (id, kind, name, created_by, created_at, members) VALUES (?, 'private', '', ?, 0, 1)"
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        with database:
            database.executemany(rooms, rows)
            database.executemany("INSERT INTO members VALUES (?, ?, 'member', 1, 0, 1, 0, 0, 0)", rows)
        yield
        with database:
            database.executemany("DELETE FROM members WHERE room = ? AND user = ?", rows)
            database.executemany("DELETE FROM rooms WHERE id = ?", [row[:1] for row in rows])


def attention(recorder: Recorder, world: World) -> None:
    """Add and remove reactions, move read positions forward and back."""
    bob, fill, seq = world.bob, {"room": world.room}, world.message["seq"]
    for operation in ("add_reaction", "list_reactions", "remove_reaction"):
        for _ in range(2):
            recorder.ask(operation, bob, fill={**fill, "message": seq})
    for body in ({"message": seq}, {"message": seq + 1}):
        recorder.ask("unread_room", bob, fill=fill, json=body)
    for _ in range(2):
        recorder.ask("read_rooms", bob, json={"rooms": [{"room": world.room, "seq": seq}]})


def outsider(world: World) -> Account:
    """Return a user who is in no room but the lobby."""
    return world.server.sign_up("dora")


def log_outs(recorder: Recorder, world: World) -> None:
    """End sessions, change passwords, delete accounts."""
    link = world.server.reset_link(world.bob.name).rpartition("#")[2]
    assert recorder.ask("reset_password", json={"token": link, "password": PASSWORD}).status_code == 204
    other = world.server.log_in(world.alice.name)
    mine = next(session for session in recorder.ask("list_sessions", other).json()["sessions"] if session["current"])
    assert recorder.ask("end_session", world.alice, fill={"session": mine["id"]}).status_code == 204
    changed = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert recorder.ask("change_password", world.alice, json=changed).status_code == 204
    assert recorder.ask("log_out", world.server.log_in(world.alice.name)).status_code == 204
    assert recorder.ask("delete_current_user", world.alice, json={"password": PASSWORD}).status_code == 204


def test_every_route_gives_every_answer_it_documents(recorder: Recorder) -> None:
    promised = {name: {int(status) for status in answers} for name, answers in responses().items()}
    never = {
        name: statuses - UNPROVOKED - {429} - recorder.seen.get(name, set()) for name, statuses in promised.items()
    }
    assert {name: statuses for name, statuses in never.items() if statuses} == {}


def test_control_a_changed_answer_is_rejected(recorder: Recorder) -> None:
    real = recorder.ask("show_site")
    body = real.json()
    for status, given in [
        (200, {**body, "needs_owner": "no"}), (200, {key: value for key, value in body.items() if key != "name"}),
        (200, {**body, "unwritten": 1}), (201, body), (404, {"error": {"code": "not_found", "message": "gone"}}),
    ]:  # fmt: skip
        with pytest.raises(AssertionError):
            check("show_site", httpx.Response(status, json=given))
    with pytest.raises(AssertionError):
        check("show_site", httpx.Response(200, text="fine"))
    check("show_site", httpx.Response(200, json=body))
