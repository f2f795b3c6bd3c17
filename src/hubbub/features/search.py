"""Search for messages, and the index it uses."""

from typing import NamedTuple

from sqlalchemy import Connection

from hubbub.domain.search import query


class SearchRequest(NamedTuple):
    """A request for a page of results. `before` is the `next` of the previous page."""

    text: str
    typing: bool
    before: int | None
    limit: int


def page(connection: Connection, user: int, request: SearchRequest) -> dict[str, object]:
    """Return a page of the messages that the user may read and that match the query."""
    found = query.parse(request.text, typing=request.typing)
    return {
        "results": [],
        "more": False,
        "query": {
            "words": list(found.words),
            "filters": [{"name": each.name, "value": each.value, "known": False} for each in found.filters],
        },
    }
