"""Invites and one-time links. Only the hashes of their tokens are stored."""

from typing import Annotated, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import SITE, Actor, room_topic, user_topic
from hubbub.domain.text import Key


class CreateOneTimeToken(Command):
    """A one-time link: `setup` makes the first owner, `reset` sets a password. Only its hash is stored."""

    purpose: Literal["setup", "reset"]
    token_hash: str
    user: Id | None = None
    expires: int | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)


class CreateInvite(Command):
    """A way in for others. Only the token's hash is stored; `expires_in` is in milliseconds.

    `accounts` is False where the app around this one knows who people are: it opens none then, and leads into a room.
    """

    token_hash: str
    max_uses: Annotated[int, Field(ge=1, le=100_000)] | None = 1
    expires_in: int | None = None
    room: Id | None = None
    """A room it leads into; without one, into the lobby alone."""
    key: Key | None = None
    accounts: bool = True

    def topics(self, actor: Actor) -> tuple[str, ...]:
        own = (SITE, user_topic(actor.id))
        return own if self.room is None else (*own, room_topic(self.room))


class RevokeInvite(Command):
    invite: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))


class AcceptInvite(Command):
    """Comes into the room an invite is for, with an account one has. `token_hash` is the SHA-256 of its token."""

    token_hash: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))
