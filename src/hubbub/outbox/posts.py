"""A post in the outbox: what the host application asks for, and how a row stores it."""

import json
from dataclasses import dataclass
from typing import Any

from hubbub.domain.text import check, check_body

LONGEST_NAME = 255
"""Characters of the name of a room or a bot, and of an issuer or a subject."""

VERSION = 1
"""The version of the stored form. A row of a newer version is given up with a reason."""


class Unreadable(ValueError):
    """A row that does not have the stored form. The message is the reason."""


@dataclass(frozen=True, slots=True)
class OutboxPost:
    """A message that is to be posted. Raises ValueError for what could never be posted.

    `room` is the name that the host application has for the room. The author is the bot `bot`, or the
    user `user` of the host application: issuer and subject. `key` is the id of the row, and the
    idempotency key of the message.
    """

    key: str
    room: str
    text: str
    bot: str | None = None
    user: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        _check_name("room", self.room)
        if not isinstance(self.text, str):
            raise ValueError("the text must be a string")
        try:
            check_body(self.text)
        except ValueError as error:
            raise ValueError(f"the text {error}") from None
        if (self.bot is None) == (self.user is None):
            raise ValueError("give either as_bot, the name of a bot, or as_user, the issuer and subject of a user")
        if self.bot is not None:
            _check_name("name of the bot", self.bot)
        if self.user is not None:
            if not isinstance(self.user, tuple) or len(self.user) != 2:
                raise ValueError("as_user must be the issuer and the subject of a user")
            for part, value in zip(("issuer", "subject"), self.user, strict=True):
                _check_name(part, value)

    def stored(self) -> str:
        """Return the form of the column `post`."""
        author: dict[str, Any] = {"bot": self.bot} if self.bot is not None else {"user": self.user}
        return json.dumps({"v": VERSION, "text": self.text, **author}, ensure_ascii=False)

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
        user = fields.get("user")
        try:
            user = tuple(user) if isinstance(user, list) else user
            return cls(key, room, fields.get("text"), fields.get("bot"), user)
        except ValueError as error:
            raise Unreadable(str(error)) from None


def _check_name(what: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        raise ValueError(f"the {what} must be a string of 1 to {LONGEST_NAME} characters")
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"the {what} {error}") from None
