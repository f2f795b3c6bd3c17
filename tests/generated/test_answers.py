"""Every REST route gives every answer that OpenAPI documents, and each answer is as documented."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from hubbub.domain.text import MAX_ROOMS
from tests.generated.contract import operations, responses
from tests.generated.witness import (
    BODIES,
    NOBODYS,
    NOTHING_BY,
    QUERIES,
    TOO_MUCH,
    WRONG,
    Witness,
    World,
    check,
    documented,
    numbers,
)
from tests.support.server import PASSWORD, Account, Server

DEEDS = {operation for operation, (method, _) in operations().items() if method != "GET"}
UNPROVOKED = {500, 503}
"""Documented for all routes.

A bug, a full queue, an unreachable database. Other tests cause those.
"""


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Witness]:
    seen = Witness(server.url)
    world = World(server)
    for part in (strangers, nonsense, what_is_not_there, conflicts, good, goodbyes):
        part(seen, world)
    yield seen
    seen.close()


def strangers(witness: Witness, world: World) -> None:
    """Send requests without credentials, with a cookie from another origin, and without permission."""
    cookie = world.cookie(witness)
    wrong = {"username": "nobody", "password": PASSWORD}
    away = {"X-Forwarded-For": "203.0.113.9"}
    witness.ask("log_in", json=wrong)
    witness.ask("create_token", data=wrong)
    witness.ask("refresh_token", json={"refresh_token": "none"})
    witness.ask("metrics", headers=away)
    witness.ask("metrics", world.alice, headers=away)
    witness.ask("list_invites", world.alice)
    witness.ask("list_bans", world.bob, fill={"room": world.room})
    witness.ask("reset_password", json={"token": "none", "password": PASSWORD})
    witness.ask("create_account", json={"username": "late", "password": PASSWORD, "invite": "none"})
    for operation in set(documented(401)) - {"log_in", "create_token", "refresh_token", "metrics"}:
        assert witness.ask(operation, json=BODIES.get(operation)).status_code == 401, operation
    guest = world.server.sign_up("guest")
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        database.execute("UPDATE users SET role = 'guest' WHERE id = ?", (guest.id,))  # as a host application may do
    witness.ask("find_people", guest)
    for operation in set(documented(403)) & set(documented(401)) & DEEDS:
        assert witness.ask(operation, headers=cookie, json=BODIES.get(operation)).status_code == 403, operation


def nonsense(witness: Witness, world: World) -> None:
    """Send paths, queries and bodies that are not as documented, and bodies that are too large."""
    for operation in documented(400):
        method, path = operations()[operation]
        wrong: dict[str, Any] = {"fill": WRONG}
        if method == "GET" and not re.search(r"\{(room|user|topic)", path):
            wrong = {"params": {"limit": 0}}
        elif "{" not in path:
            wrong = {"json": {"username": 1, "password": 1, "name": 1, "max_uses": "x", "status": 1}}
        assert witness.ask(operation, world.owner, **wrong).status_code == 400, operation
    for operation in documented(413):
        form = operation in ("create_token", "refresh_token")
        large: dict[str, Any] = {"data": {"username": TOO_MUCH}} if form else {"json": {"name": TOO_MUCH}}
        assert witness.ask(operation, world.owner, **large).status_code == 413, operation


def what_is_not_there(witness: Witness, world: World) -> None:
    for operation in documented(404):
        absent = {
            "fill": NOTHING_BY,
            "params": QUERIES.get(operation),
            "json": NOBODYS.get(operation, BODIES.get(operation)),
        }
        assert witness.ask(operation, world.bob if "room" in operation else world.owner, **absent).status_code == 404


def conflicts(witness: Witness, world: World) -> None:
    alice, fill = world.alice, {"room": world.room}
    witness.ask("create_account", json={"username": alice.name, "password": PASSWORD})
    witness.ask("create_room", alice, json={"name": "A room"})
    witness.ask("update_room", alice, fill={"room": alice.create_room("Another name")}, json={"name": "A room"})
    witness.ask("send_message", alice, fill=fill, json={"key": "k", "body": "something else"})
    for uses in (1, 2):
        witness.ask("create_invite", world.owner, json={"key": "k", "max_uses": uses})


def good(witness: Witness, world: World) -> None:
    """Send valid requests, some of them twice where the second answer differs."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    for operation in ("welcome", "look_at_site", "health", "ready", "metrics"):
        assert witness.ask(operation).status_code == 200
    assert "<" in witness.ask("welcome", headers={"Accept": "text/html"}).text
    name = f"carol{next(numbers)}"
    witness.ask("create_account", json={"username": name, "password": PASSWORD})
    tokens = witness.ask("create_token", data={"username": name, "password": PASSWORD}).json()
    witness.ask("refresh_token", data={"refresh_token": tokens["refresh_token"]})
    witness.ask("set_presence", alice, json={"status": "dnd", "text": "Lunch", "emoji": "🍜"})
    witness.ask("set_presence", alice, json={})
    witness.ask("show_presence", bob, params={"user": [1, 2]})
    for operation in ("show_me", "list_rooms", "list_sessions"):
        witness.ask(operation, alice)
    for operation in ("show_room", "list_members", "list_messages", "list_online"):
        witness.ask(operation, alice, fill=fill)
    witness.ask("show_user", alice, fill={"user": bob.id})
    of_rooms(witness, world)
    for key in ("a", "b"):
        witness.ask("send_message", alice, fill=fill, json={"key": key, "body": "hello"})
    for _ in range(2):
        witness.ask("read_room", bob, fill=fill, json={"seq": world.message["seq"]})
    attention(witness, world)
    said(witness, world)
    for epoch in (None, "another"):
        witness.ask("list_events", alice, fill={"topic": f"user:{alice.id}"}, params={"after": 0, "epoch": epoch or ""})
    members(witness, world)
    token = witness.ask("create_invite", world.owner, json={}).json()
    witness.ask("check_invite", json={"token": token["token"]})
    witness.ask("list_invites", world.owner)
    witness.ask("revoke_invite", world.owner, fill={"invite": token["id"]})


def of_rooms(witness: Witness, world: World) -> None:
    """Create, change, archive and restore rooms."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    witness.ask("show_room", stranger(world), fill=fill)
    witness.ask("create_room", alice, json={"name": "Another room"})
    witness.ask("create_room", alice, json={"kind": "direct", "members": [bob.id]})
    for operation in ("update_room", "change_settings", "archive_room", "restore_room"):
        for _ in range(2):
            witness.ask(operation, alice, fill=fill, json=BODIES.get(operation))
    witness.ask("find_people", alice)


def said(witness: Witness, world: World) -> None:
    """Reply to, forward, pin, edit and delete a message."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    reply = {"key": "reply", "body": "hello to you", "reply_to": world.message["seq"]}
    seq = witness.ask("send_message", alice, fill=fill, json=reply).json()["seq"]
    it = {**fill, "message": seq}
    forward = {"key": "forward", "from_room": world.room, "message": seq}
    witness.ask("forward_message", alice, fill=fill, json=forward)
    witness.ask("forward_message", alice, fill=fill, json={**forward, "message": seq + 1})
    for operation in ("pin_message", "list_pins", "edit_message", "list_edits", "show_message", "list_messages"):
        for _ in range(2):
            witness.ask(operation, alice, fill=it, json=BODIES.get(operation))
    witness.ask("list_edits", bob, fill=it)
    for operation in ("unpin_message", "delete_message"):
        for _ in range(2):
            witness.ask(operation, alice, fill=it)
    for operation in ("edit_message", "pin_message", "add_reaction", "show_message"):
        witness.ask(operation, alice, fill=it, json=BODIES.get(operation))


def members(witness: Witness, world: World) -> None:
    """Promote, remove, ban and add a member, who then leaves."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    his = {**fill, "user": bob.id}
    witness.ask("set_room_role", alice, fill=his, json={"role": "moderator"})
    witness.ask("remove_member", alice, fill=his)
    witness.ask("ban_member", alice, fill=fill, json={"user": bob.id, "reason": "enough"})
    witness.ask("list_bans", alice, fill=fill)
    witness.ask("invite_member", alice, fill=fill, json={"user": bob.id})
    witness.ask("unban_member", alice, fill=his)
    witness.ask("invite_member", alice, fill=fill, json={"user": bob.id})
    witness.ask("leave_room", bob, fill=fill)
    into = witness.ask("create_invite", alice, json=fill).json()
    witness.ask("check_invite", json={"token": into["token"]})
    with in_all_rooms_one_can_be_in(world, bob):
        witness.ask("accept_invite", bob, json={"token": into["token"]})
        witness.ask("join_room", bob, fill=fill)
    witness.ask("accept_invite", bob, json={"token": into["token"]})
    witness.ask("join_room", bob, fill=fill)
    witness.ask("leave_room", bob, fill=fill)


@contextmanager
def in_all_rooms_one_can_be_in(world: World, who: Account) -> Iterator[None]:
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


def attention(witness: Witness, world: World) -> None:
    """Add and remove reactions, move read positions forward and back."""
    bob, fill, seq = world.bob, {"room": world.room}, world.message["seq"]
    for operation in ("add_reaction", "list_reactions", "remove_reaction"):
        for _ in range(2):
            witness.ask(operation, bob, fill={**fill, "message": seq})
    for body in ({"message": seq}, {"message": seq + 1}):
        witness.ask("unread_room", bob, fill=fill, json=body)
    for _ in range(2):
        witness.ask("read_rooms", bob, json={"rooms": [{"room": world.room, "seq": seq}]})


def stranger(world: World) -> Account:
    """Return a user who is in no room but the lobby."""
    return world.server.sign_up("dora")


def goodbyes(witness: Witness, world: World) -> None:
    """End sessions, change passwords, delete accounts."""
    link = world.server.reset_link(world.bob.name).rpartition("#")[2]
    assert witness.ask("reset_password", json={"token": link, "password": PASSWORD}).status_code == 204
    other = world.server.log_in(world.alice.name)
    mine = next(session for session in witness.ask("list_sessions", other).json()["sessions"] if session["current"])
    assert witness.ask("end_session", world.alice, fill={"session": mine["id"]}).status_code == 204
    changed = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert witness.ask("change_password", world.alice, json=changed).status_code == 204
    assert witness.ask("log_out", world.server.log_in(world.alice.name)).status_code == 204
    assert witness.ask("delete_account", world.alice, json={"password": PASSWORD}).status_code == 204


def test_every_route_gives_every_answer_it_documents(witness: Witness) -> None:
    promised = {name: {int(status) for status in answers} for name, answers in responses().items()}
    never = {name: statuses - UNPROVOKED - {429} - witness.seen.get(name, set()) for name, statuses in promised.items()}
    assert {name: statuses for name, statuses in never.items() if statuses} == {}


def test_control_a_changed_answer_is_rejected(witness: Witness) -> None:
    real = witness.ask("look_at_site")
    body = real.json()
    for status, given in [
        (200, {**body, "needs_owner": "no"}), (200, {key: value for key, value in body.items() if key != "name"}),
        (200, {**body, "unwritten": 1}), (201, body), (404, {"error": {"code": "not_found", "message": "gone"}}),
    ]:  # fmt: skip
        with pytest.raises(AssertionError):
            check("look_at_site", httpx.Response(status, json=given))
    with pytest.raises(AssertionError):
        check("look_at_site", httpx.Response(200, text="fine"))
    check("look_at_site", httpx.Response(200, json=body))
