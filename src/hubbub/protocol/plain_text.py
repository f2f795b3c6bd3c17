"""The plain-text dialect, without I/O.

A line from the client is a message; events become lines.

    Client #NAME joined the chat.
    Client #NAME says: BODY
    Client #NAME left the chat.
    Error: SENTENCE

Names contain no blanks and no `#`, and control characters in a body are escaped, so no body can
forge a line. Joining and leaving by plain text are not events of a log. They go to the other
connections as notices.
"""

from dataclasses import dataclass
from urllib.parse import unquote

import orjson

from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import BadRequest, HubbubError, NotFound
from hubbub.domain.events import MessageSent
from hubbub.domain.model import LOBBY
from hubbub.domain.text import MAX_ID, one_line


@dataclass(frozen=True, slots=True)
class Notice:
    """A line for plain-text connections that is not an event of a log."""

    line: str


def room_of(parameter: str | None) -> int:
    """Return the room of the parameter `?room=`, the lobby without it.

    Raises NotFound if malformed.
    """
    if not parameter:
        return LOBBY
    if not parameter.isascii() or not parameter.isdecimal() or len(parameter) > 16 or not 0 < int(parameter) <= MAX_ID:
        raise NotFound("There is no such room.")
    return int(parameter)


def name_of(segment: str) -> str:
    """Return the name in the path, decoded in case the server has not done so."""
    return unquote(segment, errors="replace")


def command(line: str | bytes | None, room: int, key: str) -> SendMessage:
    """Return the command of a line.

    Raises ValidationError; BadRequest for binary data.
    """
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
    """Return the error as one line."""
    wait = "" if error.retry_after is None else f" Try again in {error.retry_after:.1f} s."
    return f"Error: {one_line(error.message)}{wait}"


def render(event: object) -> str | None:
    """Return the line for an event or a notice; None if it is not shown."""
    match event:
        case Notice(line=line):
            return line
        case MessageSent(name=name, body=str() as body):
            return said(name, body)
    return None


def render_stored(text: bytes) -> str | None:
    """Return the line for an entry as it is stored in the log; None if it is not shown."""
    event = orjson.loads(text)
    shown = event["type"] == MessageSent.type and event.get("body") is not None
    return said(event["name"], event["body"]) if shown else None


class Presence:
    """The users connected by plain text, per room.

    A user joins with their first connection, on any node, and leaves with the last. Invisible users
    are not announced, and a user who was not announced does not leave either.
    """

    def __init__(self) -> None:
        self._connections: dict[tuple[int, int], int] = {}
        self._announced: set[tuple[int, int]] = set()
        self._elsewhere: dict[tuple[int, int], set[str]] = {}

    def enter(self, room: int, person: int, *, visible: bool = True) -> bool:
        """Count a connection. Return True if the user's joining is to be announced."""
        key = (room, person)
        self._connections[key] = self._connections.get(key, 0) + 1
        return visible and self._announce(key)

    def leave(self, room: int, person: int) -> bool:
        """Drop a connection.

        Return True if it was the last and the user's leaving is to be announced.
        """
        key = (room, person)
        self._connections[key] -= 1
        if not self._connections[key]:
            del self._connections[key]
        return self._has_left(key)

    def enter_elsewhere(self, room: int, person: int, node: str) -> bool:
        """Note an announced user of another node. Return True if the joining is to be announced here."""
        self._elsewhere.setdefault((room, person), set()).add(node)
        return self._announce((room, person))

    def leave_elsewhere(self, room: int, person: int, node: str) -> bool:
        """Note that the user has left another node. Return True if the leaving is to be announced here."""
        key = (room, person)
        nodes = self._elsewhere[key]
        nodes.discard(node)
        if not nodes:
            del self._elsewhere[key]
        return self._has_left(key)

    def rooms_here(self, person: int) -> list[int]:
        """Return the rooms in which the user has a connection to this node and was announced."""
        return sorted(room for room, user in self._announced if user == person and (room, user) in self._connections)

    def _announce(self, key: tuple[int, int]) -> bool:
        if key in self._announced:
            return False
        self._announced.add(key)
        return True

    def _has_left(self, key: tuple[int, int]) -> bool:
        if key in self._connections or key in self._elsewhere or key not in self._announced:
            return False
        self._announced.discard(key)
        return True
