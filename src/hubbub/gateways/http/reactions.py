"""The route that lists the reactions to a message."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from hubbub.domain.model import Wire
from hubbub.domain.text import MAX_ID
from hubbub.features import reactions
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/messages/{message}/reactions", tags=["reactions"], route_class=StrictRoute)

MessageId = Annotated[int, Path(ge=1, le=MAX_ID, description="The message's seq.", examples=[2])]
AfterSeq = Annotated[int, Query(ge=0, le=MAX_ID, description="The `seq` of the last entry of the previous page.")]


class Reacted(Wire):
    """A user's reaction."""

    emoji: str
    by: int
    """The user's id."""
    name: str
    """The user's name."""
    seq: int
    """The position of the reaction in the room's log."""


class ReactionsPage(Wire):
    """A page of a message's reactions, in the order they were added."""

    reactions: list[Reacted]
    more: bool
    """Whether there are further reactions."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


@router.get("", response_model=ReactionsPage, responses=refusals(400, 401, 404))
async def list_reactions(
    room: RoomId, message: MessageId, caller: LoggedIn, services: Running, after: AfterSeq = 0, limit: Limit = 100
) -> Response:
    """List the reactions to a message with their users."""
    return reply(await services.read(reactions.listing, caller.id, (room, message), after, limit))
