"""Commands for invites and one-time tokens. Only the hashes of tokens are stored."""

from typing import Annotated

from pydantic import Field

from hubbub.domain.commands.base import Command, Id, Requires
from hubbub.domain.model import SITE, Actor, InviteAnswer, Nothing, RoomPosition, TokenPurpose, room_topic, user_topic
from hubbub.domain.text import Key


class CreateOneTimeToken(Command[Nothing]):
    """Create a one-time token.

    `setup` creates the first owner, `reset` sets a password.
    """

    requires = (Requires.SYSTEM,)
    purpose: TokenPurpose
    token_hash: str
    user: Id | None = None
    expires: int | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)


class CreateInvite(Command[InviteAnswer]):
    """Create an invite. `expires_in` is in milliseconds.

    `accounts` is False where a host application authenticates users: the invite then creates no
    account and must lead into a room.
    """

    token_hash: str
    max_uses: Annotated[int, Field(ge=1, le=100_000)] | None = 1
    expires_in: int | None = None
    room: Id | None = None
    """The room the invite leads into. Without it the invite leads into the lobby only."""
    key: Key | None = None
    accounts: bool = True

    def topics(self, actor: Actor) -> tuple[str, ...]:
        own = (SITE, user_topic(actor.id))
        return own if self.room is None else (*own, room_topic(self.room))


class RevokeInvite(Command[Nothing]):
    invite: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))


class AcceptInvite(Command[RoomPosition]):
    """Join the room of an invite with an existing account.

    `token_hash` is the SHA-256 of the invite's token.
    """

    token_hash: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))
