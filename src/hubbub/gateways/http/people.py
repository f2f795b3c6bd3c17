"""People: whom one can write to."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator, StringConstraints

from hubbub.domain.model import Person, Wire
from hubbub.domain.names import MAX_USER_NAME
from hubbub.domain.text import check
from hubbub.features import people
from hubbub.gateways.http.auth import Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/people", tags=["users"], route_class=StrictRoute)

Beginning = Annotated[
    str,
    StringConstraints(max_length=MAX_USER_NAME),
    AfterValidator(check),
    Query(
        description="What the name begins with, also if it only looks like it. Empty for everybody.", examples=["al"]
    ),
]


class PeoplePage(Wire):
    """A page of people."""

    people: list[Person]
    """By id; without guests and closed accounts."""
    more: bool
    """Whether there are people after the last of these."""


@router.get("", response_model=PeoplePage, responses=refusals(400, 401, 403))
async def find_people(
    caller: Somebody, services: Running, q: Beginning = "", after: After = 0, limit: Limit = 50
) -> Response:
    """Those one can write to or bring into a room, by the beginning of their names. Not for guests."""
    return reply(await services.read(people.search, caller.actor, q, after, limit))
