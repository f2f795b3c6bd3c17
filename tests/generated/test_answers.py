"""Every REST route gives every documented answer, in the documented form."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from hubbub.domain.model import LOBBY
from hubbub.domain.text import MAX_ROOMS
from tests.generated.contract import operations, responses
from tests.generated.recorder import (
    EXISTING,
    MISSING,
    TOO_MUCH,
    Recorder,
    World,
    check,
    documented,
    filled,
    numbers,
)
from tests.support.routes import ABSENT, OF_STAFF, WEBHOOK
from tests.support.server import PASSWORD, Account, Server

CHANGING = {operation for operation, (method, _) in operations().items() if method != "GET"}
LOG_INS = {"log_in", "create_token", "refresh_token"}
UNPROVOKED = {500, 503}
"""Documented for all routes.

A bug, a full queue, an unreachable database. Other tests cause those.
"""


@pytest.fixture(scope="module")
def recorder(server: Server) -> Iterator[Recorder]:
    seen = Recorder(server.url)
    world = World(server)
    parts = (
        without_permission,
        invalid_requests,
        missing_objects,
        conflicts,
        valid_requests,
        of_staff,
        of_webhooks,
        log_outs,
    )
    for part in parts:
        part(seen, world)
    yield seen
    seen.close()


def without_permission(recorder: Recorder, world: World) -> None:
    """Send requests without credentials, without permission, and cross-origin."""
    cookie = world.cookie(recorder)
    away = {"X-Forwarded-For": "203.0.113.9"}
    for operation in ABSENT:
        recorder.send(operation, **filled(operation, EXISTING))
    recorder.ask("metrics", headers=away)
    recorder.ask("metrics", world.alice, headers=away)
    recorder.ask("list_invites", world.alice)
    recorder.send("list_bans", world.bob, room=world.room)
    recorder.send("list_edits", world.bob, room=world.room, message=world.message["seq"])
    recorder.ask("create_user", json={"username": "late", "password": PASSWORD, "invite": "none"})
    for operation in set(documented(401)) - LOG_INS - {"metrics"}:
        assert recorder.send(operation, **filled(operation, EXISTING)).status_code == 401, operation
    guest = world.server.sign_up("guest")
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        database.execute("UPDATE users SET role = 'guest' WHERE id = ?", (guest.id,))  # as a host application may do
    recorder.ask("list_users", guest)
    for operation in set(documented(403)) & set(documented(401)) & CHANGING:
        foreign = {"Origin": "http://evil.example"} if operation in LOG_INS else {}
        answer = recorder.send(operation, headers={**cookie, **foreign}, **filled(operation, EXISTING))
        assert answer.status_code == 403, operation
    for operation in documented(421):
        answer = recorder.send(operation, headers={"Host": "evil.example"}, **filled(operation, EXISTING))
        assert answer.status_code == 421, operation


def invalid_requests(recorder: Recorder, world: World) -> None:
    """Send invalid paths, queries and bodies, and bodies that are too large."""
    for operation in documented(400):
        method, path = operations()[operation]
        wrong: dict[str, Any] = {"address": re.sub(r"\{\w+\}", "x" * 300, path)}
        if method == "GET" and not re.search(r"\{(room|user|topic|webhook)", path):
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
        who = world.bob if "room" in operation else world.owner
        fields = filled(operation, MISSING)
        fields |= {name: "missing" for name in ("follower", "setting") if name in fields}
        assert recorder.send(operation, who, **fields).status_code == 404, operation


def conflicts(recorder: Recorder, world: World) -> None:
    alice, bob, room = world.alice, world.bob, world.room
    recorder.send("create_user", username=alice.name, password=PASSWORD)
    recorder.send("create_room", alice, name="A room")
    recorder.send("update_room", alice, room=alice.create_room("Another name"), name="A room")
    recorder.send("send_message", alice, room=room, key="k", body="something else")
    recorder.send("forward_message", alice, room=room, key="k", from_room=LOBBY, message=1)
    for uses in (1, 2):
        recorder.send("create_invite", world.owner, key="k", max_uses=uses)
    deleted = {"room": room, "message": world.message["seq"]}
    recorder.send("delete_message", alice, **deleted)
    for operation in ("edit_message", "pin_message", "add_reaction"):
        recorder.send(operation, alice, **{**filled(operation, EXISTING), **deleted})
    closed = world.server.sign_up("closed")
    recorder.send("add_member", alice, room=room, user=closed.id)
    world.server.command_line("user", "disable", closed.name)
    recorder.send("set_member_role", alice, room=room, user=closed.id, role="owner")
    recorder.send("leave_room", bob, room=room)
    token = recorder.send("create_invite", alice, room=room).json()["token"]
    with in_maximum_rooms(world, bob, added_by=alice.id):
        recorder.send("add_member", alice, room=room, user=bob.id)
    with in_maximum_rooms(world, bob):
        recorder.send("accept_invite", bob, token=token)
        recorder.send("join_room", bob, room=room)


def valid_requests(recorder: Recorder, world: World) -> None:
    """Send the example of each route twice, and what no example shows."""
    for operation in operations().keys() - {"log_out"}:
        fields = world.prepare(recorder, operation)
        for _ in range(2):
            recorder.send(operation, world.alice, **fields)
    assert "<" in recorder.ask("welcome", headers={"Accept": "text/html"}).text
    name = f"dora{next(numbers)}"
    recorder.send("create_user", username=name, password=PASSWORD)
    tokens = recorder.send("create_token", username=name, password=PASSWORD).json()
    recorder.send("refresh_token", refresh_token=tokens["refresh_token"])
    recorder.send("list_events", world.alice, topic=f"user:{world.alice.id}", after=0, epoch="another")


def of_staff(recorder: Recorder, world: World) -> None:
    """Send the requests of staff: about followers that no process runs, or that are starting, and fixed settings."""
    columns = "INSERT INTO followers (name, scope, state, created_at, fence, lease_until, attempts)"
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        for name, state in (("idle", "running"), ("slow", "starting")):
            database.execute(f"{columns} VALUES (?, 'room:', ?, 0, 0, 0, 0)", (name, state))
        for seq in (3, 4):
            database.execute("INSERT INTO dead_letters VALUES ('idle', 'room:7', ?, 0, 1, 'broken', 0)", (seq,))
    for operation in sorted(OF_STAFF.keys() - {"drop_dead_letter", "list_followers"}):
        fields = filled(operation, EXISTING)
        fields |= {"follower": "idle"} if "follower" in fields else {}
        assert recorder.send(operation, world.owner, **fields).status_code == 200, operation
    recorder.send("list_followers", world.owner)
    assert len(recorder.send("list_dead_letters", world.owner, follower="idle", limit=1).json()["dead_letters"]) == 1
    recorder.send("drop_dead_letter", world.owner, **filled("drop_dead_letter", EXISTING) | {"follower": "idle"})
    for operation in ("pause_follower", "resume_follower"):
        recorder.send(operation, world.owner, follower="slow")
    recorder.send("set_setting", world.owner, setting="signup", value="open")  # fixed for all test servers
    recorder.send("unset_setting", world.owner, setting="signup")


def of_webhooks(recorder: Recorder, world: World) -> None:
    """Send requests about a webhook by another member, about one that is still starting, and about a dead letter."""
    alice, room = world.alice, world.alice.create_room("Hooks")
    world.bob.join(room)
    made = recorder.send("create_webhook", alice, room=room, key="hook", **WEBHOOK).json()
    other = WEBHOOK | {"name": "Other"}
    assert recorder.send("create_webhook", alice, room=room, key="hook", **other).status_code == 409
    given = EXISTING | {"room": room, "webhook": made["id"]}
    for operation in ("list_webhooks", "show_webhook", "list_webhook_deliveries", "list_webhook_dead_letters"):
        assert recorder.send(operation, world.bob, **filled(operation, given)).status_code == 403, operation
    follower = f"webhook:{made['id']}"
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        database.execute("UPDATE followers SET state = 'starting' WHERE name = ?", (follower,))
        letter = (follower, f"room:{room}", given["seq"])
        database.execute("INSERT INTO dead_letters VALUES (?, ?, ?, 0, 1, 'broken', 0)", letter)
    assert recorder.send("update_webhook", alice, webhook=made["id"], paused=True).status_code == 409
    for operation in ("retry_webhook_dead_letter", "drop_webhook_dead_letter"):
        assert recorder.send(operation, alice, **filled(operation, given)).status_code == 204, operation


@contextmanager
def in_maximum_rooms(world: World, who: Account, added_by: int | None = None) -> Iterator[None]:
    """Insert the maximum of rooms for a user, directly into the database, which is fast.

    `added_by` has put the user into them.
    """
    far = 10**12
    rows = [(far + number, who.id) for number in range(MAX_ROOMS)]
    rooms = "INSERT INTO rooms (id, kind, name, created_by, created_at, members) VALUES (?, 'private', '', ?, 0, 1)"
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        with database:
            database.executemany(rooms, rows)
            memberships = [(*row, added_by) for row in rows]
            database.executemany("INSERT INTO members VALUES (?, ?, 'member', 1, 0, 1, 0, 0, 0, ?)", memberships)
        yield
        with database:
            database.executemany("DELETE FROM members WHERE room = ? AND user = ?", rows)
            database.executemany("DELETE FROM rooms WHERE id = ?", [row[:1] for row in rows])


def log_outs(recorder: Recorder, world: World) -> None:
    """End sessions, change passwords, delete accounts."""
    link = world.server.reset_link(world.bob.name).rpartition("#")[2]
    assert recorder.ask("reset_password", json={"token": link, "password": PASSWORD}).status_code == 204
    other = world.server.log_in(world.alice.name)
    mine = next(session for session in recorder.ask("list_sessions", other).json()["sessions"] if session["current"])
    assert recorder.ask("end_session", world.alice, f"/api/sessions/{mine['id']}").status_code == 204
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
