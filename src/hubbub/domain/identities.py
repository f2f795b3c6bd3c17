"""Identities of the host application, and the user names made from them.

An identity is known by its issuer and subject, never by its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from hubbub.domain import names
from hubbub.domain.model import Role
from hubbub.domain.text import COMPOSED, TooLong, check, normalise

MAX_PART = 255
BOTS = "hubbub:bots"
"""The issuer of the bots of the host application. No Identity has it, so that no request is a bot's."""
NAMELESS = "person"
MAX_WANTED = COMPOSED * MAX_PART
"""How many characters of a wanted name are read and stored."""
LATEST = 100_000_000_000
"""Times of log-ins are in seconds before this. Larger numbers are milliseconds by mistake."""
ROLES = (Role.OWNER, Role.ADMIN, Role.MEMBER)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user the host application has authenticated. Raises ValueError.

    `issuer` names the service that vouches for the user, and `subject` is the user's permanent id
    there; together they identify the user for ever. `name` is the wanted user name. If it is taken
    or not allowed, it is changed as little as needed. `role` is owner, admin or member.

    `issued_at` is when the log-in that the request belongs to began, in seconds since 1970 or as a
    datetime with a time zone: the `iat` of a JWT, or what a signed cookie says. `Hubbub.revoke` then
    keeps out log-ins from before it. Without `issued_at`, `authenticate` itself must not recognise
    a log-in that has ended.
    """

    issuer: str
    subject: str
    name: str
    role: Role | str = Role.MEMBER
    issued_at: float | datetime | None = None

    def __post_init__(self) -> None:
        for field in ("issuer", "subject"):
            check_part(field, getattr(self, field))
        if self.issuer == BOTS:
            raise ValueError(f"the issuer {BOTS} is reserved")
        if not isinstance(self.name, str):
            raise ValueError("the name of an Identity must be a string")
        # Remove what no database can store. The name is compared with the stored one, so do it here.
        name = self.name[:MAX_WANTED].encode(errors="ignore").decode().replace("\0", "")
        object.__setattr__(self, "name", name)
        if self.role not in ROLES:
            raise ValueError("the role of an Identity must be owner, admin or member")
        if self.issued_at is not None:
            object.__setattr__(self, "issued_at", _check_time(self.issued_at))


def began_before(identity: Identity, moment: int | None) -> bool:
    """Return True if the log-in began before `moment`, in milliseconds since 1970, or within the same millisecond.

    False if either time is unknown.
    """
    began = identity.issued_at
    if began is None or moment is None:
        return False
    return int((began.timestamp() if isinstance(began, datetime) else began) * 1_000) <= moment


def check_part(field: str, value: object) -> str:
    """Return a valid issuer or subject.

    Raises ValueError for values that a database could not store, or not tell from others.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_PART:
        raise ValueError(f"the {field} of an Identity must be a string of 1 to {MAX_PART} characters")
    return check(value)


def _check_time(value: object) -> float:
    """Return a time in seconds since 1970. Raises ValueError."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("the issued_at of an Identity must have a time zone if it is a datetime")
        value = value.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError("the issued_at of an Identity must be in seconds since 1970, or a datetime")
    return float(value)


def names_for(identity: Identity) -> Iterator[str]:
    """Yield user names to try until a name is free, the closest to the wanted name first.

    The last ones are derived from the issuer and the subject, so that they are practically unique.
    """
    wanted = _clean_name(identity.name)
    yield wanted
    yield from (_add_suffix(wanted, str(number)) for number in range(2, 10))
    digest = sha256(f"{len(identity.issuer)}:{identity.issuer}{identity.subject}".encode()).digest()
    digits = str(int.from_bytes(digest))  # digits fit every script; letters could mix two scripts
    yield from (_add_suffix(wanted, digits[:length]) for length in (6, 12))


def _clean_name(name: str) -> str:
    """Return `name` without forbidden characters; NAMELESS if nothing is left."""
    try:
        name = normalise(name, MAX_PART)
    except TooLong:
        return NAMELESS
    name, _, _ = name.partition("@")  # e-mail addresses are private
    parts = ("".join(filter(names.is_name_character, part)) for part in name.split())
    name = ".".join(filter(None, parts))[: names.MAX_USER_NAME].strip("._-")
    try:
        name = names.check_user_name(name)
    except ValueError:
        return NAMELESS
    return NAMELESS if names.is_neutral(name) else name


def _add_suffix(name: str, suffix: str) -> str:
    return f"{name[: names.MAX_USER_NAME - len(suffix) - 1]}-{suffix}"
