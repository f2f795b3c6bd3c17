"""Every request that names a room, over REST and WebSocket.

They are generated from the contract and the commands, so that a new route or command is included at
once. Only the value of a field with a new name has to be added here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import quote

from pydantic.fields import FieldInfo

from hubbub.domain.commands import AnyWireCommand, EventsSince, Signal
from hubbub.domain.model import LOBBY
from tests.generated.contract import operations, read
from tests.support.client import Connection, RefusedError
from tests.support.server import Account

ROOMS = ("room", "from_room")
"""Fields that name a room."""
LISTS = ("rooms",)
"""Fields that hold a list of objects which name a room."""
VALUES: dict[str, Any] = {
    "body": "Something", "seq": 2, "emoji": "\N{THUMBS UP SIGN}", "name": "Another name",
    "topic": "Something", "description": "Something", "history": "all", "role": "moderator", "reason": "Something",
    "favourite": True, "muted": True, "after": 0, "limit": 50, "max_uses": 1, "expires_in": 60,
}  # fmt: skip
"""Values of the other fields; `message` and `user` are set where they are known."""


@dataclass(frozen=True)
class Place:
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
    fill: Callable[[Place], dict[str, Any]]

    @property
    def by_socket(self) -> bool:
        return " " not in self.name

    async def ask(self, place: Place, account: Account, connection: Connection) -> tuple[int, str]:
        """Send the request and return everything that the answer contains."""
        given = self.fill(place)
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


def _numbered(fill: Callable[[Place, int], dict[str, Any]], number: int) -> Callable[[Place], dict[str, Any]]:
    return lambda place: fill(place, place.first + number)


Fill = Callable[[Place, int], dict[str, Any]]


def _of_routes() -> Iterator[tuple[str, Fill]]:
    document = read("openapi.json")
    for name, (method, path) in operations().items():
        operation = document["paths"][path][method.lower()]
        given = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        schema = document["components"]["schemas"].get(content.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
        body, required = schema.get("properties", {}), schema.get("required", [])
        by_topic = ("topic",) if "{topic}" in path else ()
        for which in (*by_topic, *(field for field in (*ROOMS, *LISTS) if field in given or field in body)):
            told = [one for one, parameter in given.items() if one == which or parameter.get("required")]
            yield f"{method} {path} by {which} ({name})", _request(method, path, which, told, body, required)


def _request(method: str, path: str, which: str, given: list[str], body: dict[str, Any], required: list[str]) -> Fill:
    def fill(place: Place, message: int) -> dict[str, Any]:
        message = place.elsewhere if which == "room" and "from_room" in body else message
        fields = [field for field in body if field in required or field in (*VALUES, *ROOMS)]
        said = {field: _value(field, which, place, message) for field in fields}
        told = {
            field: _topic(place) if "{topic}" in path and field == "topic" else _value(field, which, place, message)
            for field in given
        }
        asked = {field: value for field, value in told.items() if f"{{{field}}}" not in path}
        where = path.format(**{field: quote(str(value)) for field, value in told.items() if field not in asked})
        return {"method": method, "path": where, "params": asked, **({"json": said} if body else {})}

    return fill


def _of_commands() -> Iterator[tuple[str, Fill]]:
    for kind in (*get_args(AnyWireCommand), *Signal.__subclasses__(), EventsSince):
        fields: dict[str, FieldInfo] = kind.model_fields
        by_topic = ("topic",) if kind is EventsSince else ()
        for which in (*by_topic, *(field for field in (*ROOMS, *LISTS) if field in fields)):
            yield f"{fields['type'].default}.by.{which}", _frame(kind, which)


def _frame(kind: Any, which: str) -> Fill:
    def fill(place: Place, message: int) -> dict[str, Any]:
        message = place.elsewhere if which == "room" and "from_room" in kind.model_fields else message
        frame: dict[str, Any] = {"type": kind.model_fields["type"].default}
        for field, info in kind.model_fields.items():
            if field != "type" and (info.is_required() or field in (*VALUES, *ROOMS)):
                by_topic = kind is EventsSince and field == "topic"
                frame[field] = _topic(place) if by_topic else _value(field, which, place, message)
        return frame

    return fill


def _value(field: str, which: str, place: Place, message: int) -> Any:
    """Return the value of a field in a request whose field `which` names the room."""
    if field in LISTS:
        return [{"room": place.room, "seq": VALUES["seq"]}]
    if field in ROOMS:
        return place.room if field == which else LOBBY
    return {"message": message, "user": place.user, "key": f"k{message}", **VALUES}[field]


def _topic(place: Place) -> str:
    return f"room:{place.room}"
