"""Commands for accounts and identities. They carry only the hashes of secrets."""

from typing import Literal

from hubbub.domain.commands.base import Command, Id, Requires
from hubbub.domain.model import LOBBY, SECURITY, SITE, Actor, Nothing, Role, UserAnswer, room_topic, user_topic
from hubbub.domain.names import UserName


class CreateAccount(Command[UserAnswer]):
    """Create an account.

    `setup_hash` is the SHA-256 of a setup token, `invite_hash` that of an invite's token. Only the
    command line sets `role`.
    """

    username: UserName
    password_hash: str
    invite_hash: str | None = None
    setup_hash: str | None = None
    role: Role | None = None
    signup: Literal["invite", "open", "closed"] = "invite"

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class OpenGuest(Command[UserAnswer]):
    """Create a guest: a user without a password, until the connection ends."""

    username: UserName

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class CloseGuest(Command[Nothing]):
    """Close a guest's account.

    It is removed completely if the guest left no content behind.
    """

    requires = ()
    user: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY), user_topic(self.user))


class AdmitIdentity(Command[Nothing]):
    """Create or update the account of an identity of the host application.

    The first command creates the account. Later ones update its name and role.
    """

    issuer: str
    subject: str
    name: str
    role: Role
    bot: bool = False
    """Whether a new account is that of a bot."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class ChangeAccount(Command[Nothing]):
    """Change the name or the role of an account, for the host application. None leaves them."""

    requires = (Requires.SYSTEM,)
    user: Id
    name: str | None = None
    role: Role | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(self.user))


class RevokeIdentity(Command[Nothing]):
    """Log an identity out: its authentications before this are void."""

    issuer: str
    subject: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class SetDisabled(Command[Nothing]):
    """Disable or enable an account. Not the actor's own, and not the last owner's."""

    user: Id
    disabled: bool

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class DeleteAccount(Command[Nothing]):
    """Delete an account with its name, password, sessions and memberships.

    The user's messages stay under a neutral name.
    """

    user: Id
    seen_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY, SITE)
