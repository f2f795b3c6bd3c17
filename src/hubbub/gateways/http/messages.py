"""Routes that read messages: history, one message, and its earlier versions."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from hubbub.domain.commands import MessagePage
from hubbub.domain.model import Message, Revision, Wire
from hubbub.domain.text import DEFAULT_PAGE, MAX_ID, MAX_PAGE
from hubbub.features import edits, messages
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/messages", tags=["messages"], route_class=StrictRoute)

MessageId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1], description="The message's seq.")]
WindowSeq = Annotated[int, Field(ge=0, le=MAX_ID)] | None
AfterVersion = Annotated[
    int, Query(ge=0, le=MAX_ID, description="The `version` of the last entry of the previous page.")
]


class Window(BaseModel):
    """The part of the history to return."""

    before: WindowSeq = Field(None, description="The `seq` of the oldest message of the pages so far.")
    after: WindowSeq = Field(None, description="The `seq` of the newest message of the pages so far.")
    around: WindowSeq = Field(None, description="A seq near which the page lies.")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE


class Beyond(Wire):
    """Whether there are more messages before and after a page."""

    before: bool
    after: bool


class Messages(Wire):
    """A page of history."""

    messages: list[Message]
    """By ascending seq."""
    quotes: list[Message]
    """The messages that messages of the page reply to, if the caller may read them."""
    more: Beyond
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


class OneMessage(Wire):
    """A single message."""

    message: Message
    quotes: list[Message]
    """The message it replies to, if the caller may read it."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


class EditsPage(Wire):
    """A page of a message's earlier versions, oldest first."""

    edits: list[Revision]
    more: bool
    """Whether there are further versions."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


@router.get("", response_model=Messages, responses=refusals(400, 401, 404))
async def list_messages(
    room: RoomId, window: Annotated[Window, Query()], caller: LoggedIn, services: Running
) -> Response:
    """Return messages before, after or around a seq, or the newest ones.

    Give at most one of the three.
    """
    query = MessagePage(room=room, **window.model_dump())
    return reply(await services.read(messages.page, caller.id, query))


@router.get("/{message}", response_model=OneMessage, responses=refusals(400, 401, 404))
async def show_message(room: RoomId, message: MessageId, caller: LoggedIn, services: Running) -> Response:
    """Return a message, and the message it replies to."""
    return reply(await services.read(messages.one, caller.id, room, message))


@router.get("/{message}/edits", response_model=EditsPage, responses=refusals(400, 401, 403, 404))
async def list_edits(
    room: RoomId, message: MessageId, caller: LoggedIn, services: Running, after: AfterVersion = 0, limit: Limit = 50
) -> Response:
    """List a message's earlier versions.

    Requires its author or a moderator of the room.
    """
    return reply(await services.read(edits.listing, caller.actor, (room, message), after, limit))
