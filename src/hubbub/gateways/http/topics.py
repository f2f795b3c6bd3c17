"""The events of a topic since a position, for clients that catch up over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from hubbub.domain.commands import EventsSince, Topic
from hubbub.domain.events import EventPage, NoWay
from hubbub.domain.model import Role
from hubbub.domain.text import MAX_ID, MAX_PAGE, ShortText
from hubbub.features import sync
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/topics", tags=["topics"], route_class=StrictRoute)
LAST = "The `seq` of the last entry of the previous page, or of the client's position."


@router.get("/{topic}/events", response_model=EventPage | NoWay, responses=refusals(400, 401, 404))
async def list_events(
    topic: Annotated[Topic, Path(description="`room:ID`, `user:ID` or `site`.", examples=["room:1"])],
    caller: LoggedIn,
    services: Running,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description=LAST, examples=[0])],
    epoch: Annotated[ShortText | None, Query()] = None,
    limit: Limit = MAX_PAGE,
) -> Response:
    """List the events after a seq.

    Not rate limited: clients that were offline must be able to catch up.
    """
    query = EventsSince(topic=topic, after=after, epoch=epoch, limit=limit)
    site = caller.identity.role is not Role.GUEST
    return reply(await services.read(sync.events_since, caller.id, site, query))
