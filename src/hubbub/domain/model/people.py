"""People: what they are on this site, how they appear, and who asks for something."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from hubbub.domain.model.base import Absent, Timestamp, Wire


class Role(StrEnum):
    """What somebody is on this site."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class User(Wire):
    """Somebody, as everybody may know him."""

    id: int
    name: str
    """Unique, also among names that look alike."""
    role: Role
    created_at: Timestamp


class Me(User):
    """One's own profile, with the tutorial's two fields."""

    username: str
    message: str


class Person(Wire):
    """Somebody."""

    id: int
    name: str


Chosen = Literal["online", "away", "dnd", "invisible"]
"""`dnd`: do not disturb. `invisible` looks like `offline` to everybody else."""


class Status(Wire):
    """How one has chosen to appear."""

    status: Chosen
    """`invisible` looks like `offline` to everybody else."""
    text: str | Absent = None
    """What one says about it."""
    emoji: str | Absent = None
    """An emoji that goes with it."""
    until: Timestamp | Absent = None
    """When one is plainly online again."""


class Presence(Wire):
    """How somebody appears to others now."""

    user: int
    """The person's id."""
    status: Literal["online", "away", "dnd", "offline"]
    """`away` is also who has been idle on every device, `offline` also who is invisible."""
    text: str | Absent = None
    """What the person says about it."""
    emoji: str | Absent = None
    """An emoji that goes with it."""
    until: Timestamp | Absent = None
    """When `text` and `emoji` end."""


class Appearances(Wire):
    """How several people appear."""

    people: list[Presence]
    """In the order they were asked for."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `session` is None for the command line and the server itself; those are `system`."""

    id: int
    name: str
    role: Role
    session: str | None = None
    system: bool = False


SYSTEM = Actor(id=0, name="hubbub", role=Role.OWNER, system=True)
ANYBODY = Actor(id=0, name="", role=Role.GUEST)
