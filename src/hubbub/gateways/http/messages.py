"""Messages: send one, change it, take it back; one of them, what it said before, and pages of history."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from hubbub.domain.commands import DeleteMessage, EditMessage, ForwardMessage, Id, MessagePage, MessageSeq, SendMessage
from hubbub.domain.model import Frozen, MaybePosition, Message, Position, Revision, Wire
from hubbub.domain.text import DEFAULT_PAGE, MAX_ID, MAX_PAGE, Body, Key
from hubbub.features import edits, messages
from hubbub.gateways.http.auth import Active, Running, Sender, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/messages", tags=["messages"], route_class=StrictRoute)
forwards = APIRouter(prefix="/api/rooms/{room}/forwards", tags=["messages"], route_class=StrictRoute)

MessageId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1], description="The message's seq.")]
Place = Annotated[int, Field(ge=0, le=MAX_ID)] | None
AfterVersion = Annotated[int, Query(ge=0, le=MAX_ID, description="The version the page before ended with.")]


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
    reply_to: MessageSeq | None = None
    """The seq of the message in the same room that this one answers."""


class NewForward(Frozen):
    """Which message is forwarded; `key` as for a new message, and unique together with theirs."""

    key: Key = Field(examples=["01KAN3M6R4T3"])
    from_room: Id = Field(examples=[1])
    """Where it was said."""
    message: MessageSeq = Field(examples=[1])
    """Its seq there."""


class NewWords(Frozen):
    """What a message says from now on."""

    body: Body = Field(examples=["hello again"])


class Beyond(Wire):
    """Whether there are more messages on either side of a page."""

    before: bool
    after: bool


class Messages(Wire):
    """A page of history."""

    messages: list[Message]
    """By ascending seq."""
    quotes: list[Message]
    """Those that messages of the page reply to, as far as one may see them."""
    more: Beyond
    heads: dict[str, int]
    """The head of the room's topic the page was read at."""


class OneMessage(Wire):
    """One message."""

    message: Message
    quotes: list[Message]
    """The one it replies to, if one may see it."""
    heads: dict[str, int]
    """The head of the room's topic it was read at."""


class EditsPage(Wire):
    """What a message said before, oldest first."""

    edits: list[Revision]
    more: bool
    """Whether there are versions after the last of these."""
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
    command = SendMessage(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)


@forwards.post("", status_code=201, response_model=Position, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def forward_message(room: RoomId, body: NewForward, caller: Sender, services: Running) -> Response:
    """Says in this room what somebody said in another one that one is in."""
    command = ForwardMessage(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)


@router.get("/{message}", response_model=OneMessage, responses=refusals(400, 401, 404))
async def show_message(room: RoomId, message: MessageId, caller: Somebody, services: Running) -> Response:
    """One message, with the one it replies to."""
    return reply(await services.read(messages.one, caller.id, room, message))


@router.patch("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def edit_message(room: RoomId, message: MessageId, body: NewWords, caller: Sender, services: Running) -> Response:
    """Says otherwise what one has said."""
    command = EditMessage(room=room, message=message, body=body.body)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.delete("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def delete_message(room: RoomId, message: MessageId, caller: Active, services: Running) -> Response:
    """Takes a message back: one's own, or anybody's for those who look after the room. Twice is fine."""
    command = DeleteMessage(room=room, message=message)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.get("/{message}/edits", response_model=EditsPage, responses=refusals(400, 401, 403, 404))
async def list_edits(
    room: RoomId, message: MessageId, caller: Somebody, services: Running, after: AfterVersion = 0, limit: Limit = 50
) -> Response:
    """What a message said before, for its author and those who look after the room."""
    return reply(await services.read(edits.listing, caller.actor, (room, message), after, limit))
