"""Calls routes, checks each answer against OpenAPI, and records which were given."""

import itertools
from collections.abc import Mapping
from typing import Any

import httpx

from hubbub.domain.commands.examples import Fields, fill
from hubbub.domain.model import LOBBY
from tests.generated.contract import body_of, operations, responses
from tests.support.examples import Cast, Step, prepare_now
from tests.support.routes import FORM, operation_of, request_of, template_of
from tests.support.server import PASSWORD, Account, Server

TOO_MUCH = "x" * 70_000
ABSENT = 999_999_999
EXISTING: Fields = {
    "room": LOBBY, "message": 1, "seq": 1, "member": 1, "outsider": 1, "name": "bob", "invite": "none", "token": "none",
    "webhook": 1, "new": "",
}  # fmt: skip
"""Values of examples that are valid in form."""
MISSING: Fields = EXISTING | dict.fromkeys(("room", "message", "seq", "member", "outsider", "webhook"), ABSENT)
numbers = itertools.count(1)


class Recorder:
    """Calls routes, checks each answer against OpenAPI, and records which were given."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, set[int]] = {}
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def send(
        self, operation: str, who: Account | None = None, /, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        """Send a request with these fields in path, query and body, as documented."""
        _, address, body, kind = request_of(operation, fields)
        sent = {} if body is None else {"data" if kind == FORM else "json": body}
        return self.ask(operation, who, address, headers=headers or {}, **sent)

    def ask(
        self, operation: str, who: Account | None = None, address: str | None = None, **request: Any
    ) -> httpx.Response:
        """Send a request with arguments of httpx. Without an address, parameters of the path are filled in."""
        method, path = operations()[operation]
        if address is None:
            fields = filled(operation, EXISTING)
            _, address, _, _ = request_of(operation, {name: fields[name] for name in fields if f"{{{name}}}" in path})
        headers = {**(who.headers if who else {}), **request.pop("headers", {})}
        self._http.cookies.clear()
        answer = self._http.request(method, address, headers=headers, **request)
        check(operation, answer)
        self.seen.setdefault(operation, set()).add(answer.status_code)
        return answer

    def close(self) -> None:
        self._http.close()


def filled(operation: str, given: Fields) -> Fields:
    """Return the fields of an operation's example with these values, without preparing anything."""
    found: Fields = fill(template_of(operation), given)
    return found


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
    """Users, a room with a message, and a session cookie."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.owner = server.create_owner("owner")
        self.alice = server.sign_up("alice")
        self.bob = server.sign_up("bob")
        self.carol = server.sign_up("carol")
        self.room = self.alice.create_room("A room")
        self.bob.join(self.room)
        sent = {"key": "k", "body": "hello"}
        self.message = self.alice.request("POST", f"/api/rooms/{self.room}/messages", json=sent).json()

    def prepare(self, recorder: Recorder, operation: str) -> Fields:
        """Prepare the example of an operation, to be sent by alice, with bob as the other member."""
        users = {"actor": self.alice, "member": self.bob}
        cast = Cast(self.alice.id, self.bob.id, self.carol.id, self.bob.name, new=lambda: f"-{next(numbers)}")

        def send(step: Step) -> Any:
            name = operation_of(step.request)
            assert name is not None
            answer = recorder.send(name, users[step.by], **step.fields)
            assert answer.is_success, f"{step}: {answer.text}"
            return answer.json()

        return prepare_now(operation, cast, send)

    def cookie(self, recorder: Recorder) -> dict[str, str]:
        body = {"username": self.alice.name, "password": PASSWORD}
        return {"Cookie": recorder.ask("log_in", json=body).headers["set-cookie"].split(";")[0]}


def documented(status: int) -> list[str]:
    return [operation for operation, answers in responses().items() if str(status) in answers]
