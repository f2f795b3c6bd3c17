"""Users, their site roles, and the actor of a command."""

from dataclasses import dataclass
from enum import StrEnum

from hubbub.domain.model.base import Timestamp, Wire


class Role(StrEnum):
    """A user's role on the site."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class User(Wire):
    """A user, as all users may see them."""

    id: int
    name: str
    """Unique, also among names that look alike."""
    role: Role
    created_at: Timestamp


class Me(User):
    """The user's own profile, with the two fields of the FastAPI tutorial."""

    username: str
    message: str


class Person(Wire):
    """A user's id and name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who issued a command, or the system.

    `session` is None for the command line and the server itself, which act as `system`.
    """

    id: int
    name: str
    role: Role
    session: str | None = None
    system: bool = False
    bot: bool = False


SYSTEM = Actor(id=0, name="hubbub", role=Role.OWNER, system=True)
ANYBODY = Actor(id=0, name="", role=Role.GUEST)
"""The actor of commands by clients that are not logged in."""
