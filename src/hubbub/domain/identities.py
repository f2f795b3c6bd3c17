"""Who somebody is in the app around this one: found by issuer and subject, never by a name; and what to call him."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from hubbub.domain import names
from hubbub.domain.model import Role
from hubbub.domain.text import COMPOSED, TooLong, check, normalise

MAX_PART = 255
NAMELESS = "person"
MAX_WANTED = COMPOSED * MAX_PART
"""Characters of a name that are looked at; they are those that are stored."""
ROLES = (Role.OWNER, Role.ADMIN, Role.MEMBER)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody the app around this one has recognised.

    `issuer` and `subject` together are the person, for ever: the name of the place that vouches for it, and the
    person's unchanging id there. `name` is what to call the person; where somebody here has that name already, or
    nobody could, it is changed as little as needed. `role` is owner, admin or member. Raises ValueError.
    """

    issuer: str
    subject: str
    name: str
    role: Role | str = Role.MEMBER

    def __post_init__(self) -> None:
        for field in ("issuer", "subject"):
            check_part(field, getattr(self, field))
        if not isinstance(self.name, str):
            raise ValueError("an Identity's name is a string")
        # What no store could take is left out; it is compared with what was stored, so here and not later.
        name = self.name[:MAX_WANTED].encode(errors="ignore").decode().replace("\0", "")
        object.__setattr__(self, "name", name)
        if self.role not in ROLES:
            raise ValueError("an Identity's role is owner, admin or member")


def check_part(field: str, value: object) -> str:
    """An issuer or a subject; raises ValueError for what no store could keep apart from others."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_PART:
        raise ValueError(f"an Identity's {field} is a string of 1 to {MAX_PART} characters")
    return check(value)


def names_for(identity: Identity) -> Iterator[str]:
    """Names to try, in this order, until one is free: as near to the wanted one as can be; the last are his alone."""
    wanted = _cleaned(identity.name)
    yield wanted
    yield from (_suffixed(wanted, str(number)) for number in range(2, 10))
    own = sha256(f"{len(identity.issuer)}:{identity.issuer}{identity.subject}".encode()).digest()
    digits = str(int.from_bytes(own))  # letters could be of another script than the name
    yield from (_suffixed(wanted, digits[:length]) for length in (6, 12))


def _cleaned(name: str) -> str:
    """What is left of `name` when everything is gone that no name here has."""
    try:
        name = normalise(name, MAX_PART)
    except TooLong:
        return NAMELESS
    name, _, _ = name.partition("@")  # an e-mail address is no name, and nobody else's business
    parts = ("".join(filter(names.is_name_character, part)) for part in name.split())
    name = ".".join(filter(None, parts))[: names.MAX_USER_NAME].strip("._-")
    try:
        name = names.check_user_name(name)
    except ValueError:
        return NAMELESS
    return NAMELESS if names.skeleton(name).startswith(names.NEUTRAL) else name


def _suffixed(name: str, suffix: str) -> str:
    return f"{name[: names.MAX_USER_NAME - len(suffix) - 1]}-{suffix}"
