"""Messages: send one, read pages of history."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from hubbub.domain.commands import MessagePage, SendMessage
from hubbub.domain.model import Frozen, Message, Position, Wire
from hubbub.domain.text import DEFAULT_PAGE, MAX_ID, MAX_PAGE, Body, Key
from hubbub.features import messages
from hubbub.gateways.http.auth import Running, Sender, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import RoomId
from hubbub.gateways.http.strict import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/messages", tags=["messages"], route_class=StrictRoute)

Place = Annotated[int, Field(ge=0, le=MAX_ID)] | None


class Window(BaseModel):
    """Where in the history, and how much of it."""

    before: Place = None
    after: Place = None
    around: Place = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE


class NewMessage(Frozen):
    """`key` makes a retry harmless: the same key gives the same message."""

    key: Key = Field(examples=["01KAN3M6R4T2"])
    body: Body = Field(examples=["hello"])


class Beyond(Wire):
    """Whether there are more messages on either side of a page."""

    before: bool
    after: bool


class Messages(Wire):
    """A page of history."""

    messages: list[Message]
    """By ascending seq."""
    more: Beyond
    heads: dict[str, int]
    """The head of the room's topic the page was read at."""


@router.get("", response_model=Messages, responses=refusals(400, 401, 404))
async def list_messages(
    room: RoomId, window: Annotated[Window, Query()], caller: Somebody, services: Running
) -> Response:
    """A page next to a seq, the newest without one. At most one of before, after and around."""
    query = MessagePage(room=room, **window.model_dump())
    return reply(await services.read(messages.page, caller.id, query))


@router.post("", status_code=201, response_model=Position, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def send_message(room: RoomId, body: NewMessage, caller: Sender, services: Running) -> Response:
    """Sends a message; it is on disk when the answer comes."""
    command = SendMessage(room=room, key=body.key, body=body.body)
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)
