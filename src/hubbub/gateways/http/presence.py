"""The route that reads presence, for clients without an open connection."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import FailFast

from hubbub.domain.commands import Id
from hubbub.domain.model import Presences
from hubbub.domain.text import MAX_WATCHED
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/presence", tags=["presence"], route_class=StrictRoute)

Users = Annotated[list[Id], FailFast(), Query(max_length=MAX_WATCHED, examples=[[1]])]


@router.get("", response_model=Presences, responses=refusals(400, 401))
async def show_presence(user: Users, caller: LoggedIn, services: Running) -> Response:
    """Return the status and presence of users; `user` may be repeated up to 200 times."""
    return reply({"presences": await services.ephemeral.of(user)})
