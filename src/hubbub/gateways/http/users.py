"""Routes that read users: the caller, one user, and users by name."""

from fastapi import APIRouter
from fastapi.responses import Response

from hubbub.domain.model import Me, Person, User, Wire
from hubbub.features import accounts, users
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit, NamePart, UserId, one_page
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(tags=["users"], route_class=StrictRoute)


class UsersPage(Wire):
    """A page of users."""

    users: list[Person]
    """Ordered by id, or the best match first; without guests and closed accounts."""
    more: bool
    """Whether there are further users."""


@router.get("/users/me", response_model=Me, responses=refusals(401))
async def show_me(caller: LoggedIn, services: Running) -> Response:
    """Return the caller's own profile, as in the FastAPI tutorial."""
    found = await services.read(accounts.profile, caller.id)
    return reply({**found.model_dump(), "username": found.name, "message": f"Hello, {found.name}!"})


@router.get("/api/users", response_model=UsersPage, responses=refusals(400, 401, 403))
async def list_users(
    caller: LoggedIn, services: Running, q: NamePart = "", after: After = 0, limit: Limit = 50
) -> Response:
    """List users to write to or to add to a room, or search them by any part of their names.

    Not available to guests.
    """
    if one_page(q, after):
        return reply(await services.read(users.search, caller.actor, q, limit))
    return reply(await services.read(users.listing, caller.actor, after, limit))


@router.get("/api/users/me", response_model=User, responses=refusals(401))
async def show_current_user(caller: LoggedIn, services: Running) -> Response:
    """Return the caller's own profile."""
    return reply((await services.read(accounts.profile, caller.id)).model_dump())


@router.get("/api/users/{user}", response_model=User, responses=refusals(400, 401, 404))
async def show_user(user: UserId, caller: LoggedIn, services: Running) -> Response:
    """Return a user's profile."""
    return reply((await services.read(accounts.profile, user)).model_dump())
