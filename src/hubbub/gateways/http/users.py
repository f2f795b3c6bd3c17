"""Routes for user profiles."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from hubbub.domain.model import Me, User
from hubbub.domain.text import MAX_ID
from hubbub.features import accounts
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(tags=["users"], route_class=StrictRoute)


@router.get("/users/me", response_model=Me, responses=refusals(401))
async def show_me(caller: LoggedIn, services: Running) -> Response:
    """Return the caller's own profile."""
    found = await services.read(accounts.profile, caller.id)
    return reply({**found.model_dump(), "username": found.name, "message": f"Hello, {found.name}!"})


@router.get("/api/users/{user}", response_model=User, responses=refusals(400, 401, 404))
async def show_user(
    user: Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])], caller: LoggedIn, services: Running
) -> Response:
    """Return a user's profile."""
    return reply((await services.read(accounts.profile, user)).model_dump())
