"""Routes to find users by name."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator, StringConstraints

from hubbub.domain.model import Person, Wire
from hubbub.domain.names import MAX_USER_NAME
from hubbub.domain.text import check
from hubbub.features import people
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/people", tags=["users"], route_class=StrictRoute)

NamePrefix = Annotated[
    str,
    StringConstraints(max_length=MAX_USER_NAME),
    AfterValidator(check),
    Query(description="The start of the name; look-alike letters match too. Empty for all users.", examples=["al"]),
]


class PeoplePage(Wire):
    """A page of users."""

    people: list[Person]
    """Ordered by id; without guests and closed accounts."""
    more: bool
    """Whether there are further users."""


@router.get("", response_model=PeoplePage, responses=refusals(400, 401, 403))
async def find_people(
    caller: LoggedIn, services: Running, q: NamePrefix = "", after: After = 0, limit: Limit = 50
) -> Response:
    """List users to write to or to add to a room, by the start of their names.

    Not available to guests.
    """
    return reply(await services.read(people.search, caller.actor, q, after, limit))
