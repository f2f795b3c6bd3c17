"""The keys by which the host application knows the rooms of its own objects."""

from typing import Annotated

from pydantic import AfterValidator

from hubbub.domain.text import check

MAX_HOST_KEY = 255


def check_host_key(key: str) -> str:
    """Return a valid key: 1 to 255 characters, compared byte by byte. Raises ValueError."""
    if not 1 <= len(key) <= MAX_HOST_KEY:
        raise ValueError(f"the key of a room must have 1 to {MAX_HOST_KEY} characters")
    return check(key)


HostKey = Annotated[str, AfterValidator(check_host_key)]
