"""The plain-text dialect, sans-I/O: a line in is a message, an event out is a line for people.

    Client #NAME joined the chat.
    Client #NAME says: BODY
    Client #NAME left the chat.
    Error: SENTENCE

Names contain no blanks and no `#`, and every control character in a body is shown as an escape, so no body can forge a
line. The comings and goings of plain-text clients are no events of a log: they travel between connections as notices.
"""

from collections.abc import Hashable
from urllib.parse import unquote

import orjson

from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import BadRequest, HubbubError, NotFound
from hubbub.domain.model import LOBBY
from hubbub.domain.text import MAX_ID, one_line

NOTICE = "notice"


def room_of(parameter: str | None) -> int:
    """The room that `?room=` names, the lobby without one. Raises NotFound: a room nobody can name is not there."""
    if not parameter:
        return LOBBY
    if not parameter.isascii() or not parameter.isdecimal() or len(parameter) > 16 or not 0 < int(parameter) <= MAX_ID:
        raise NotFound("There is no such room.")
    return int(parameter)


def name_of(segment: str) -> str:
    """The name in the path, percent-decoded if a server has not done so already."""
    return unquote(segment, errors="replace")


def command(line: str | bytes | None, room: int, key: str) -> SendMessage:
    """What a line asks for. Raises ValidationError, or BadRequest for what is no text."""
    if not isinstance(line, str):
        raise BadRequest("Send text, not binary data.")
    return SendMessage(room=room, key=key, body=line)


def joined(name: str) -> str:
    return f"Client #{name} joined the chat."


def said(name: str, body: str) -> str:
    return f"Client #{name} says: {one_line(body)}"


def left(name: str) -> str:
    return f"Client #{name} left the chat."


def refusal(error: HubbubError) -> str:
    """One readable line."""
    wait = "" if error.retry_after is None else f" Try again in {error.retry_after:.1f} s."
    return f"Error: {one_line(error.message)}{wait}"


def notice(line: str) -> bytes:
    """A finished line on its way to plain-text connections, in the form in which events travel."""
    return orjson.dumps({"type": NOTICE, "line": line})


def render(text: bytes) -> str | None:
    """The line for an event's wire object or a notice; None for what plain text does not speak of."""
    event = orjson.loads(text)
    if event["type"] == NOTICE:
        line: str = event["line"]
        return line
    if event["type"] == "message.sent" and event["body"] is not None:
        return said(event["name"], event["body"])
    return None


class Presence:
    """Who is in which room by plain text: the first connection of a person joins, the last one leaves.

    Of whom one may not see nothing is told, and nobody leaves of whom it was not told that he joined.
    """

    def __init__(self) -> None:
        self._connections: dict[tuple[int, Hashable], int] = {}
        self._told: set[tuple[int, Hashable]] = set()

    def enter(self, room: int, person: Hashable, *, visible: bool = True) -> bool:
        """True if it is to be told that the person is there."""
        place = (room, person)
        self._connections[place] = self._connections.get(place, 0) + 1
        if not visible or place in self._told:
            return False
        self._told.add(place)
        return True

    def leave(self, room: int, person: Hashable) -> bool:
        """True if it is to be told that the person has gone: this was the last connection to the room."""
        place = (room, person)
        self._connections[place] -= 1
        if self._connections[place]:
            return False
        del self._connections[place]
        told = place in self._told
        self._told.discard(place)
        return told
