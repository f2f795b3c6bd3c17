"""The tokens of a message: those of its text, and special ones for filters.

Special tokens begin with `=`, which is in no token of a text.
"""

from hubbub.domain.model import Mentions
from hubbub.domain.search.matching import has_link
from hubbub.domain.search.tokens import words

LINK = "=l"
WHOLE_ROOM = 0


def of_author(user: int) -> str:
    return f"=a{user:x}"


def of_room(room: int) -> str:
    return f"=r{room:x}"


def of_mentioned(user: int) -> str:
    """Return the token for messages that mention the user; WHOLE_ROOM for `@room`."""
    return f"=m{user:x}"


def document_tokens(room: int, author: int, body: str, mentions: Mentions | None) -> str:
    """Return all tokens of a message, between blanks."""
    found = words(body)
    found.update((of_author(author), of_room(room)))
    if has_link(body):
        found.add(LINK)
    if mentions is not None:
        found.update(map(of_mentioned, [WHOLE_ROOM] if mentions.room else mentions.users))
    return f" {' '.join(sorted(found))} "
