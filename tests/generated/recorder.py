"""Calls routes, checks each answer against OpenAPI, and records which were given."""

import itertools
from typing import Any

import httpx

from hubbub.domain.model import LOBBY
from tests.generated.contract import body_of, operations, responses
from tests.support.server import PASSWORD, Account, Server

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
MISSING_IDS = {
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
    "set_room_preferences": {"favourite": True},
    "ban_member": {"reason": "enough"},
    "set_member_role": {"role": "moderator"},
    "accept_invite": {"token": "none"},
    "set_status": {"status": "online"},
    "edit_message": {"body": "hello again"},
    "forward_message": {"key": "f", "from_room": LOBBY, "message": 1},
}
MISSING_BODIES: dict[str, dict[str, Any]] = {
    "create_room": {"name": "Anything", "members": [ABSENT]},
    "create_invite": {"room": ABSENT},
}
"""Bodies that name a missing object."""
QUERIES: dict[str, dict[str, Any]] = {
    "list_invites": {"room": ABSENT},
    "list_events": {"after": 0},
}
"""Queries that name a missing object, and required parameters."""
numbers = itertools.count(1)


class Recorder:
    """Calls routes, checks each answer against OpenAPI, and records which were given."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, set[int]] = {}
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def ask(self, operation: str, who: Account | None = None, **request: Any) -> httpx.Response:
        """Send a request. `fill` are the path's parameters; the rest is as in httpx."""
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
    """Fail unless status, content type, headers and body are documented."""
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
    """Three users, a room with a message, and a session cookie."""

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

    def cookie(self, recorder: Recorder) -> dict[str, str]:
        body = {"username": self.alice.name, "password": PASSWORD}
        return {"Cookie": recorder.ask("log_in", json=body).headers["set-cookie"].split(";")[0]}


def documented(status: int) -> list[str]:
    return [operation for operation, answers in responses().items() if str(status) in answers]
