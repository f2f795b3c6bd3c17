"""Accounts, and those whom an app vouches for. Secrets never travel in commands, only their hashes."""

from typing import Literal

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import LOBBY, SECURITY, SITE, Actor, Role, room_topic, user_topic
from hubbub.domain.names import UserName


class CreateAccount(Command):
    """A new person. `setup_hash` or `invite_hash` is the SHA-256 of what opens the door; the CLI gives a `role`."""

    username: UserName
    password_hash: str
    invite_hash: str | None = None
    setup_hash: str | None = None
    role: Role | None = None
    signup: Literal["invite", "open", "closed"] = "invite"

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class OpenGuest(Command):
    """Somebody without a password who enters the lobby under a free name, for as long as a connection lives."""

    username: UserName

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class CloseGuest(Command):
    """The guest has left: out of the lobby, and removed altogether if nothing of his is left there."""

    user: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY), user_topic(self.user))


class AdmitIdentity(Command):
    """Somebody the app around this one vouches for: an account at first sight, then the name and the role it gives."""

    issuer: str
    subject: str
    name: str
    role: Role

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class RevokeIdentity(Command):
    """The app around this one has logged the person out: nobody it recognised before this is that person any more."""

    issuer: str
    subject: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class SetDisabled(Command):
    """Locks an account out, or lets it in again. Not for oneself, and not for the last owner."""

    user: Id
    disabled: bool

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class DeleteAccount(Command):
    """Removes a person: name, password, sessions and memberships go, what was said stays under a neutral name."""

    user: Id
    seen_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY, SITE)
