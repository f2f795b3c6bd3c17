"""A post in the outbox: what the host application asks for, and how a row stores it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hubbub.domain.text import MAX_INVITED, check, check_body

if TYPE_CHECKING:
    from hubbub.domain.identities import Identity

VERSION = 1
"""The version of the stored form. A row of a newer version is given up with a reason."""
LONGEST_NAME = 255
"""Characters of each name: of a room, a bot or a user, and of an issuer or a subject."""


class Unreadable(ValueError):
    """A row that does not have the stored form. The message is the reason."""


class HostUser(NamedTuple):
    """A user of the host application. With a name, the chat creates or updates the account."""

    issuer: str
    subject: str
    name: str | None = None
    role: str | None = None

    @classmethod
    def of(cls, given: object) -> "HostUser":
        """Return the user of an Identity, or of an issuer and a subject. Raises ValueError."""
        if isinstance(given, tuple | list) and len(given) in (2, 4):
            found = cls(*given)
        elif hasattr(given, "issuer"):
            identity = cast("Identity", given)
            found = cls(identity.issuer, identity.subject, identity.name, str(identity.role))
        else:
            raise ValueError("a user must be an Identity, or a pair of issuer and subject")
        for what, value in zip(("issuer", "subject", "name of a user", "role"), found, strict=True):
            if value is not None or what in ("issuer", "subject"):
                _check_name(what, value)
        return found

    def stored(self) -> list[str | None]:
        return [self.issuer, self.subject] if self.name is None else [*self]


@dataclass(frozen=True, slots=True)
class OutboxPost:
    """A message that is to be posted. Raises ValueError for what could never be posted.

    `room` is the key that the host application has for the room. The author is the bot with the key
    `bot`, or `user`, or else the host's own bot. With a `room_name`, a room that does not exist is
    created with `members`. `key` is the id of the row, and the idempotency key of the message.
    """

    key: str
    room: str
    text: str
    bot: str | None = None
    user: HostUser | None = None
    room_name: str | None = None
    members: tuple[HostUser, ...] = ()

    def __post_init__(self) -> None:
        _check_name("room", self.room)
        if not isinstance(self.text, str):
            raise ValueError("the text must be a string")
        try:
            check_body(self.text)
        except ValueError as error:
            raise ValueError(f"the text {error}") from None
        if self.bot is not None and self.user is not None:
            raise ValueError("give as_bot or as_user, not both")
        if self.bot is not None:
            _check_name("bot", self.bot)
        if self.room_name is not None:
            _check_name("name of the room", self.room_name)
        if self.members and self.room_name is None:
            raise ValueError("members are those of a new room: give its room_name")

    def stored(self) -> str:
        """Return the form of the column `post`."""
        fields: dict[str, Any] = {"v": VERSION, "text": self.text}
        if self.bot is not None:
            fields["bot"] = self.bot
        if self.user is not None:
            fields["user"] = self.user.stored()
        if self.room_name is not None:
            fields |= {"room_name": self.room_name, "members": [user.stored() for user in self.members]}
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def read(cls, key: str, room: str, stored: str) -> "OutboxPost":
        """Return the post of a row. Raises Unreadable."""
        try:
            fields = json.loads(stored)
            version = fields["v"]
        except (ValueError, TypeError, KeyError):
            raise Unreadable("the row is not readable") from None
        if version != VERSION:
            raise Unreadable(f"the row has version {version!r}, and this Hubbub reads version {VERSION}")
        try:
            user, bot, room_name = fields.get("user"), fields.get("bot"), fields.get("room_name")
            members = host_users(fields.get("members", []))
            return cls(
                key, room, fields.get("text"), bot, None if user is None else HostUser.of(user), room_name, members
            )
        except (ValueError, TypeError) as error:
            raise Unreadable(f"the row is not readable: {error}") from None


def host_users(given: "Iterable[Identity | tuple[str, str]]") -> tuple[HostUser, ...]:
    """Return the users of a list. Raises ValueError, also for a list that is too long."""
    found: list[HostUser] = []
    for each in given:
        if len(found) == MAX_INVITED:
            raise ValueError(f"a new room has at most {MAX_INVITED} members")
        found.append(HostUser.of(each))
    return tuple(found)


def _check_name(what: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        raise ValueError(f"the {what} must be a string of 1 to {LONGEST_NAME} characters")
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"the {what} {error}") from None
