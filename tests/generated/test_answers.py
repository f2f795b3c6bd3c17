"""Every route of the REST surface gives every answer OpenAPI documents for it, and each is as documented."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hubbub.domain.model import LOBBY
from tests.generated.contract import body_of, operations, responses
from tests.support.server import PASSWORD, Account, Server

UNPROVOKED = {500, 503}
"""Documented for all: a bug, a full queue, a database that is away. Other tests make those."""
TOO_MUCH = "x" * 70_000
ABSENT = 999_999_999
FILLED = {
    "room": LOBBY,
    "user": 1,
    "session": "none",
    "invite": "none",
    "topic": f"room:{LOBBY}",
    "emoji": "%F0%9F%91%8D",
    "message": 1,
}
NOTHING_BY = {
    "room": ABSENT,
    "user": ABSENT,
    "session": "none",
    "invite": "none",
    "topic": f"room:{ABSENT}",
    "emoji": "%F0%9F%91%8D",
    "message": ABSENT,
}
WRONG = {
    "room": "x",
    "user": "x",
    "session": "x" * 300,
    "invite": "x" * 300,
    "topic": "x",
    "emoji": "x",
    "message": "x",
}
BODIES: dict[str, dict[str, Any]] = {
    "read_room": {"seq": 1},
    "send_message": {"key": "k", "body": "hello"},
    "unread_room": {"message": 1},
    "read_rooms": {"rooms": [{"room": LOBBY, "seq": 1}]},
    "create_room": {"name": "Anything"},
    "update_room": {"topic": "What it is about"},
    "change_settings": {"favourite": True},
    "invite_member": {"user": 1},
    "ban_member": {"user": 1},
    "set_room_role": {"role": "moderator"},
    "accept_invite": {"token": "none"},
}
NOBODYS: dict[str, dict[str, Any]] = {
    "create_room": {"name": "Anything", "members": [ABSENT]},
    "create_invite": {"room": ABSENT},
}
"""Bodies that name what is not there."""
_numbers = itertools.count(1)


class Witness:
    """Asks, checks each answer against contract/openapi.json, and remembers which were given."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, set[int]] = {}
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def ask(self, operation: str, who: Account | None = None, **request: Any) -> httpx.Response:
        """`fill` are the path's parameters; the rest is as in httpx."""
        method, path = operations()[operation]
        fill = {**FILLED, **request.pop("fill", {})}
        headers = {**(who.headers if who else {}), **request.pop("headers", {})}
        self._http.cookies.clear()
        answer = self._http.request(method, path.format(**fill), headers=headers, **request)
        check(operation, answer)
        self.seen.setdefault(operation, set()).add(answer.status_code)
        return answer

    def close(self) -> None:
        self._http.close()


def check(operation: str, answer: httpx.Response) -> None:
    """Fails unless status, content type, headers and body are documented for the operation."""
    where = f"{operation} → {answer.status_code} {answer.text[:300]}"
    documented = responses()[operation].get(str(answer.status_code))
    assert documented is not None, f"not documented: {where}"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert kind in (documented.get("content") or {"": None}), f"{kind!r} is not documented: {where}"
    for name, header in documented.get("headers", {}).items():
        assert name in answer.headers or not header.get("required"), f"without {name}: {where}"
    schema = body_of(operation, answer.status_code) if kind == "application/json" else None
    if schema is not None:
        assert schema.is_valid(answer.json()), (
            f"{[error.message for error in schema.iter_errors(answer.json())]}: {where}"
        )


class World:
    """Three people, two rooms, a cookie."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.owner = server.create_owner("owner")
        self.alice = server.sign_up("alice")
        self.bob = server.sign_up("bob")
        self.room = self.alice.create_room("A room")
        self.bob.join(self.room)
        self.message = self.alice.request(
            "POST", f"/api/rooms/{self.room}/messages", json=BODIES["send_message"]
        ).json()

    def cookie(self, witness: Witness) -> dict[str, str]:
        body = {"username": self.alice.name, "password": PASSWORD}
        return {"Cookie": witness.ask("log_in", json=body).headers["set-cookie"].split(";")[0]}


@pytest.fixture(scope="module")
def witness(server: Server) -> Iterator[Witness]:
    seen = Witness(server.url)
    world = World(server)
    for part in (strangers, nonsense, what_is_not_there, conflicts, good, goodbyes):
        part(seen, world)
    yield seen
    seen.close()


def documented(status: int) -> list[str]:
    return [operation for operation, answers in responses().items() if str(status) in answers]


def strangers(witness: Witness, world: World) -> None:
    """Nobody at all; a cookie that some other page has sent; somebody who may not."""
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
    for operation in set(documented(403)) & set(documented(401)) - {"list_invites", "list_bans", "metrics"}:
        assert witness.ask(operation, headers=cookie, json=BODIES.get(operation)).status_code == 403, operation


def nonsense(witness: Witness, world: World) -> None:
    """Paths, queries and bodies that are not as documented, and bodies that are too large."""
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
            "params": {"after": 0, "room": ABSENT},
            "json": NOBODYS.get(operation, BODIES.get(operation)),
        }
        assert witness.ask(operation, world.bob if "room" in operation else world.owner, **absent).status_code == 404


def conflicts(witness: Witness, world: World) -> None:
    alice, fill = world.alice, {"room": world.room}
    witness.ask("create_account", json={"username": alice.name, "password": PASSWORD})
    witness.ask("create_room", alice, json={"name": "A room"})
    witness.ask("update_room", alice, fill={"room": alice.create_room("Another name")}, json={"name": "A room"})
    witness.ask("send_message", alice, fill=fill, json={"key": "k", "body": "something else"})
    deleted = alice.request("POST", f"/api/rooms/{world.room}/messages", json={"key": "gone", "body": "gone"}).json()
    alice.request("DELETE", f"/api/rooms/{world.room}/messages/{deleted['seq']}")
    witness.ask("add_reaction", alice, fill={**fill, "message": deleted["seq"]})
    for uses in (1, 2):
        witness.ask("create_invite", world.owner, json={"key": "k", "max_uses": uses})


def good(witness: Witness, world: World) -> None:
    """Everybody does what one does, some of it twice where the second time is answered in another way."""
    alice, bob, fill = world.alice, world.bob, {"room": world.room}
    for operation in ("welcome", "look_at_site", "health", "ready", "metrics"):
        assert witness.ask(operation).status_code == 200
    assert "<" in witness.ask("welcome", headers={"Accept": "text/html"}).text
    name = f"carol{next(_numbers)}"
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
    witness.ask("show_room", stranger(world), fill=fill)
    witness.ask("show_user", alice, fill={"user": bob.id})
    witness.ask("create_room", alice, json={"name": "Another room"})
    witness.ask("create_room", alice, json={"kind": "direct", "members": [bob.id]})
    for operation in ("update_room", "change_settings", "archive_room", "restore_room"):
        for _ in range(2):
            witness.ask(operation, alice, fill=fill, json=BODIES.get(operation))
    for key in ("a", "b"):
        witness.ask("send_message", alice, fill=fill, json={"key": key, "body": "hello"})
    for _ in range(2):
        witness.ask("read_room", bob, fill=fill, json={"seq": world.message["seq"]})
    attention(witness, world)
    for epoch in (None, "another"):
        witness.ask("list_events", alice, fill={"topic": f"user:{alice.id}"}, params={"after": 0, "epoch": epoch or ""})
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
    witness.ask("accept_invite", bob, json={"token": into["token"]})
    witness.ask("join_room", bob, fill=fill)
    witness.ask("leave_room", bob, fill=fill)
    token = witness.ask("create_invite", world.owner, json={}).json()
    witness.ask("check_invite", json={"token": token["token"]})
    witness.ask("list_invites", world.owner)
    witness.ask("revoke_invite", world.owner, fill={"invite": token["id"]})


def attention(witness: Witness, world: World) -> None:
    """Reactions and read positions, forth and back."""
    bob, fill, seq = world.bob, {"room": world.room}, world.message["seq"]
    for operation in ("add_reaction", "list_reactions", "remove_reaction"):
        for _ in range(2):
            witness.ask(operation, bob, fill={**fill, "message": seq})
    for body in ({"message": seq}, {"message": seq + 1}):
        witness.ask("unread_room", bob, fill=fill, json=body)
    for _ in range(2):
        witness.ask("read_rooms", bob, json={"rooms": [{"room": world.room, "seq": seq}]})


def stranger(world: World) -> Account:
    """Somebody who is in no room but the lobby."""
    return world.server.sign_up("dora")


def goodbyes(witness: Witness, world: World) -> None:
    """What ends sessions, passwords and accounts."""
    link = world.server.command_line("user", "reset-link", world.bob.name).strip().rpartition("#")[2]
    assert witness.ask("reset_password", json={"token": link, "password": PASSWORD}).status_code == 204
    other = world.server.log_in(world.alice.name)
    mine = next(one for one in witness.ask("list_sessions", other).json()["sessions"] if one["current"])
    assert witness.ask("end_session", world.alice, fill={"session": mine["id"]}).status_code == 204
    changed = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert witness.ask("change_password", world.alice, json=changed).status_code == 204
    assert witness.ask("log_out", world.server.log_in(world.alice.name)).status_code == 204
    assert witness.ask("delete_account", world.alice, json={"password": PASSWORD}).status_code == 204


def test_every_route_gives_every_answer_it_documents(witness: Witness) -> None:
    promised = {name: {int(status) for status in answers} for name, answers in responses().items()}
    never = {name: statuses - UNPROVOKED - {429} - witness.seen.get(name, set()) for name, statuses in promised.items()}
    assert {name: statuses for name, statuses in never.items() if statuses} == {}


def test_an_answer_that_was_tampered_with_does_not_pass(witness: Witness) -> None:
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
