"""Routes for status and presence, for clients without an open connection."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import FailFast, Field

from hubbub.domain.commands import Id, SetStatus
from hubbub.domain.emojis import Emoji
from hubbub.domain.model import Appearances, Chosen, Frozen, MaybePosition
from hubbub.domain.text import MAX_WATCHED, Moment, StatusText
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/presence", tags=["presence"], route_class=StrictRoute)

Users = Annotated[list[Id], FailFast(), Query(max_length=MAX_WATCHED, examples=[[1]])]


class NewStatus(Frozen):
    """A status to set. Fields that are left out take their defaults."""

    status: Chosen = "online"
    text: StatusText = Field("", examples=["Lunch"])
    emoji: Emoji | None = None
    """Any single Unicode emoji."""
    until: Moment | None = None
    """When the status reverts to online; RFC 3339, within a year."""


@router.get("", response_model=Appearances, responses=refusals(400, 401))
async def show_presence(user: Users, caller: LoggedIn, services: Running) -> Response:
    """Return the status and presence of users; `user` may be repeated up to 200 times."""
    return reply({"people": await services.ephemeral.of(user)})


@router.put("", response_model=MaybePosition, responses=refusals(400, 401, 403, 413, 429))
async def set_presence(body: NewStatus, caller: Active, services: Running) -> Response:
    """Set the caller's status. Replaces the previous one entirely."""
    command = SetStatus(status=body.status, text=body.text, emoji=body.emoji, until=body.until)
    return reply((await services.journal.submit(command, caller.actor)).answer)
