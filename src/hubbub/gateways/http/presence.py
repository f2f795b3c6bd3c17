"""Presence and typing, for those who do not keep a connection open."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import FailFast, Field

from hubbub.domain.commands import Id, SetPresence
from hubbub.domain.emojis import Emoji
from hubbub.domain.model import Appearances, Chosen, Frozen, MaybePosition
from hubbub.domain.text import MAX_WATCHED, Moment, StatusText
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/presence", tags=["presence"], route_class=StrictRoute)

Users = Annotated[list[Id], FailFast(), Query(max_length=MAX_WATCHED, examples=[[1]])]


class NewStatus(Frozen):
    """How one wants to appear; what is left out is as for somebody who chooses nothing."""

    status: Chosen = "online"
    text: StatusText = Field("", examples=["Lunch"])
    emoji: Emoji | None = None
    """Any one emoji of Unicode."""
    until: Moment | None = None
    """When one is plainly online again; RFC 3339, within a year."""


@router.get("", response_model=Appearances, responses=refusals(400, 401))
async def show_presence(user: Users, caller: Somebody, services: Running) -> Response:
    """How people appear now; `user` may be given up to 200 times."""
    return reply({"people": await services.ephemeral.of(user)})


@router.put("", response_model=MaybePosition, responses=refusals(400, 401, 403, 413, 429))
async def set_presence(body: NewStatus, caller: Active, services: Running) -> Response:
    """Chooses how one appears, instead of what was chosen before."""
    command = SetPresence(status=body.status, text=body.text, emoji=body.emoji, until=body.until)
    return reply((await services.journal.submit(command, caller.actor)).answer)
