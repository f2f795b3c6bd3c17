"""The events of a topic since a position, for clients that catch up over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from hubbub.domain.commands import EventsSince, Topic
from hubbub.domain.events import EventPage, NoWay
from hubbub.domain.model import Role
from hubbub.domain.text import MAX_ID, MAX_PAGE, ShortText
from hubbub.features import sync
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.event_stream import open_stream
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, accepts, reply
from hubbub.protocol.event_stream import MEDIA_TYPE, parse_position

router = APIRouter(prefix="/api/topics", tags=["topics"], route_class=StrictRoute)
RESUME = "For a stream: the `id` of the last event that was received. Browsers send it by themselves."
LAST = "The `seq` of the last entry of the previous page, or of the client's position."


@router.get(
    "/{topic}/events",
    response_model=EventPage | NoWay,
    responses=refusals(400, 401, 404, 429),
    openapi_extra={"responses": {"200": {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}}},
)
async def list_events(
    topic: Annotated[Topic, Path(description="`room:ID`, `user:ID` or `site`.", examples=["room:1"])],
    caller: LoggedIn,
    services: Running,
    request: Request,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID, description=LAST, examples=[0])] = None,
    epoch: Annotated[ShortText | None, Query()] = None,
    limit: Limit = MAX_PAGE,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description=RESUME)] = None,
) -> Response:
    """List the events after a seq, or follow them as server-sent events.

    Without `Accept: text/event-stream` the answer is a page; without `after` it begins at 0. The
    limit of reads leaves room to catch up in a thousand topics at once.

    With `Accept: text/event-stream` the answer is a stream that does not end: the events after the
    position, then those that happen. The position is `Last-Event-ID`, or else `after` and `epoch`,
    or else now. `id` is the position, `EPOCH:SEQ`, `event` the event's type, `data` the event. A
    `reset` event says that events are missing: load the state again; the stream continues after its
    `head`. The stream counts as a connection, and ends with the right to read the topic.
    """
    if accepts(request, MEDIA_TYPE):
        position = parse_position(last_event_id) if last_event_id else (epoch, after) if after is not None else None
        return await open_stream(services, caller.identity, topic, position)
    query = EventsSince(topic=topic, after=after or 0, epoch=epoch, limit=limit)
    site = caller.identity.role is not Role.GUEST
    return reply(await services.read(sync.events_since, caller.id, site, query))
