"""Routes for staff that read followers and their dead letters."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import StringConstraints

from hubbub.domain.commands.followers import MAX_FOLLOWER_NAME, FollowerName
from hubbub.domain.model import Wire
from hubbub.domain.model.followers import DeadLetter, Follower
from hubbub.features import followers
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/followers", tags=["followers"], route_class=StrictRoute)
AfterName = Annotated[
    str,
    StringConstraints(max_length=MAX_FOLLOWER_NAME, pattern=r"^[A-Za-z0-9_:-]*$"),
    Query(description="The name of the last entry of the previous page."),
]
AfterLetter = Annotated[
    str,
    StringConstraints(max_length=80, pattern=r"^([a-z]+(:[0-9]{1,16})?,[0-9]{1,16})?$"),
    Query(description="The `topic` and the `seq` of the last entry of the previous page, separated by a comma."),
]


class Followers(Wire):
    """A page of followers, in the order of their names."""

    followers: list[Follower]
    more: bool
    """Whether there are further followers."""


class DeadLetters(Wire):
    """A page of dead letters, in the order of topics and seqs."""

    dead_letters: list[DeadLetter]
    more: bool
    """Whether there are further dead letters."""


@router.get("", response_model=Followers, responses=refusals(400, 401, 403))
async def list_followers(
    caller: LoggedIn,
    services: Running,
    after: AfterName = "",
    limit: Limit = 50,
) -> Response:
    """List the durable consumers of topics: their state, what they have not handled yet, their last error."""
    found = await services.read(followers.stored, caller.actor, after, limit + 1)
    described = [(await services.read(followers.describe, each)).model_dump() for each in found[:limit]]
    return reply({"followers": described, "more": len(found) > limit})


@router.get("/{follower}/dead-letters", response_model=DeadLetters, responses=refusals(400, 401, 403, 404))
async def list_dead_letters(
    follower: Annotated[FollowerName, Path(description="The follower's name.")],
    caller: LoggedIn,
    services: Running,
    after: AfterLetter = "",
    limit: Limit = 50,
) -> Response:
    """List the entries that a follower could not handle, with the reasons."""
    found = await services.read(followers.dead_letters, caller.actor, follower, after, limit + 1)
    return reply({"dead_letters": [each.model_dump() for each in found[:limit]], "more": len(found) > limit})
