"""The route that searches messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator, Field, StringConstraints

from hubbub.domain.model import SearchResults
from hubbub.domain.text import MAX_FOUND, MAX_SEARCH, check
from hubbub.features import search
from hubbub.features.search import SearchRequest
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/search", tags=["messages"], route_class=StrictRoute)

SearchText = Annotated[
    str,
    StringConstraints(max_length=MAX_SEARCH),
    AfterValidator(check),
    Query(
        description='Words, `"phrases"`, `prefix*`, and the filters `from:NAME`, `in:ROOM`, `before:DATE`,'
        " `after:DATE`, `has:link`, `is:pinned`, `mentions:me`. Every text is a valid query.",
        examples=["release from:alice"],
    ),
]
Typing = Annotated[bool, Query(description="Whether the last word may be the beginning of a longer one.")]
Before = Annotated[
    str | None,
    Field(pattern=r"^[0-9]{1,18}$"),
    Query(description="The `next` of the previous page."),
]


@router.get("", response_model=SearchResults, responses=refusals(400, 401, 429))
async def search_messages(
    caller: LoggedIn,
    services: Running,
    q: SearchText,
    typing: Typing = False,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = 20,
) -> Response:
    """Search the messages that the caller may read, newest first.

    Searches the rooms that the caller is a member of, archived ones included. Words are compared
    without case and accents.
    """
    services.limits.search(caller.id)
    request = SearchRequest(q, typing, None if before is None else int(before), limit)
    return reply(await services.read(search.page, caller.id, request))
