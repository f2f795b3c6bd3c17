"""Every request that names a room, over REST and WebSocket.

They are generated from the contract and the examples of the requests, so that a new route or command
is included at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from hubbub.domain.commands.examples import fill, placeholders
from hubbub.domain.model import LOBBY
from tests.generated.contract import operations
from tests.support.client import Connection, RefusedError
from tests.support.routes import ASKED, request_of, template_of
from tests.support.server import Account

ROOMS = ("room", "from_room")
"""Fields that name a room."""
LISTS = ("rooms",)
"""Fields that hold a list of objects which name a room."""


@dataclass(frozen=True)
class Subject:
    """A room to ask about, a current or former member, and two seqs.

    The seqs are those of its first message and of one in the lobby. There is a message for each
    question.
    """

    room: int
    user: int
    first: int
    elsewhere: int


@dataclass(frozen=True)
class Question:
    """A request about a place.

    `fill` returns a command's frame, or the arguments of an HTTP request.
    """

    name: str
    fill: Callable[[Subject], dict[str, Any]]

    @property
    def by_socket(self) -> bool:
        return " " not in self.name

    async def ask(self, subject: Subject, account: Account, connection: Connection) -> tuple[int, str]:
        """Send the request and return everything that the answer contains."""
        given = self.fill(subject)
        if self.by_socket:
            try:
                return 0, str(await connection.command(given.pop("type"), **given))
            except RefusedError as error:
                return 1, str(error)
        answer = account.request(**given)
        return answer.status_code, answer.text


def questions() -> list[Question]:
    made = [*_of_routes(), *_of_commands()]
    return [Question(name, _numbered(fill, number)) for number, (name, fill) in enumerate(made)]


def _numbered(fill: Callable[[Subject, int], dict[str, Any]], number: int) -> Callable[[Subject], dict[str, Any]]:
    return lambda subject: fill(subject, subject.first + number)


Fill = Callable[[Subject, int], dict[str, Any]]


def _of_routes() -> Iterator[tuple[str, Fill]]:
    for name, (method, path) in operations().items():
        for which in _naming(name):
            yield f"{method} {path} by {which} ({name})", partial(_request, name, which)


def _request(operation: str, which: str, subject: Subject, message: int) -> dict[str, Any]:
    method, address, body, _ = request_of(operation, _fields(operation, which, subject, message))
    return {"method": method, "path": address, **({"json": body} if body is not None else {})}


def _of_commands() -> Iterator[tuple[str, Fill]]:
    for kind in ASKED:
        for which in _naming(kind):
            yield f"{kind}.by.{which}", partial(_frame, kind, which)


def _frame(kind: str, which: str, subject: Subject, message: int) -> dict[str, Any]:
    return {"type": kind, **_fields(kind, which, subject, message)}


def _naming(request: str) -> list[str]:
    """Return the fields that name a room."""
    found = template_of(request)
    return [
        field
        for field in found
        if field in (*ROOMS, *LISTS) or (field == "topic" and "room" in placeholders(found[field]))
    ]


def _fields(request: str, which: str, subject: Subject, message: int) -> dict[str, Any]:
    """Return the fields of a request whose field `which` names the room, and all others the lobby."""
    fields = template_of(request)
    elsewhere = which == "room" and "from_room" in fields
    given = {
        "message": subject.elsewhere if elsewhere else message, "seq": message, "member": subject.user,
        "outsider": subject.user, "name": "bob", "invite": "none", "token": "none", "webhook": 1, "new": f"-{message}",
    }  # fmt: skip
    rooms = {name: subject.room if name == which else LOBBY for name in fields if name in ROOMS}
    found: dict[str, Any] = fill({**fields, **rooms}, {**given, "room": subject.room})
    return found
