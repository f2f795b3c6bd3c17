"""Results of a search for messages."""

from typing import Annotated, Literal

from pydantic import Field

from hubbub.domain.model.base import Absent, Wire
from hubbub.domain.model.messages import Message

Highlight = Annotated[list[int], Field(min_length=2, max_length=2)]
"""`[start, end]` in UTF-16 code units."""


class FoundMessage(Wire):
    """A message that a search has found."""

    message: Message
    highlights: list[Highlight]
    """Where the body contains the words: `[start, end]` in UTF-16 code units, ascending."""


class SearchFilter(Wire):
    """A filter of a query."""

    name: Literal["from", "in", "before", "after", "has", "is", "mentions"]
    value: str
    known: bool
    """False if the filter names a user or a room that the caller cannot find. It then matches no
    message."""


class SearchQuery(Wire):
    """A query as the server has read it."""

    words: list[str]
    """The words and phrases, as written."""
    filters: list[SearchFilter]


class Indexing(Wire):
    """How far the search index is built."""

    done_count: int
    """How many messages are indexed."""
    total_count: int


class SearchResults(Wire):
    """A page of messages that a search has found, newest first."""

    results: list[FoundMessage]
    more: bool
    """Whether there may be further results. A page can have fewer results than the limit, even
    none, and still not be the last one."""
    next: str | Absent = None
    """The `before` of the next page, if there is more."""
    query: SearchQuery
    indexing: Indexing | Absent = None
    """Present while the index is being built, newest messages first: older messages may be
    missing."""
