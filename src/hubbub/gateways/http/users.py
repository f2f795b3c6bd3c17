"""Users: oneself, and what one may know of others."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from hubbub.domain.model import Me, User
from hubbub.domain.text import MAX_ID
from hubbub.features import accounts
from hubbub.gateways.http.auth import Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(tags=["users"], route_class=StrictRoute)


@router.get("/users/me", response_model=Me, responses=refusals(401))
async def show_me(caller: Somebody, services: Running) -> Response:
    """One's own profile."""
    found = await services.read(accounts.profile, caller.id)
    return reply({**found.model_dump(), "username": found.name, "message": f"Hello, {found.name}!"})


@router.get("/api/users/{user}", response_model=User, responses=refusals(400, 401, 404))
async def show_user(
    user: Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])], caller: Somebody, services: Running
) -> Response:
    """Somebody's profile."""
    return reply((await services.read(accounts.profile, user)).model_dump())
