"""The answers to commands.

They are plain dictionaries while the server runs: a send must not pay for a model that only
documents its answer.
"""

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from hubbub.domain.model.rooms import Room
from hubbub.domain.model.users import User

DOCUMENTED = ConfigDict(use_attribute_docstrings=True)


class Nothing(TypedDict):
    """The answer of a command that has nothing to tell."""


@with_config(DOCUMENTED)
class Position(TypedDict):
    """The position of the change in the log."""

    topic: str
    seq: int
    """The seq of the event of this change."""


@with_config(DOCUMENTED)
class MaybePosition(TypedDict):
    """The position of the change in the log; empty if nothing changed."""

    topic: NotRequired[str]
    seq: NotRequired[int]
    """The seq of the event of this change."""


@with_config(DOCUMENTED)
class RoomPosition(TypedDict):
    """The room as the user sees it now, and the position of the change in its log."""

    topic: str
    seq: int
    """The seq of the event of this change."""
    room: Room


class HostRoomAnswer(TypedDict):
    """The id of the room of an object of the host application, and whether the command created it."""

    room: int
    created: bool


class MembersAnswer(TypedDict):
    """How many members a command has added and removed."""

    added: int
    removed: int


class UserAnswer(TypedDict):
    """The account that a command has created."""

    user: User


class SessionAnswer(TypedDict):
    """The user of a new session, and the generation of its refresh token."""

    user: User
    generation: int


class Generation(TypedDict):
    """The next generation of a refresh token. None if the token was stale and its session ended."""

    generation: int | None


class InviteAnswer(TypedDict):
    """A new invite, ready for JSON: an absent limit is null."""

    invite: dict[str, object]


class Gone(TypedDict):
    """How many rows housekeeping has deleted."""

    gone: int
