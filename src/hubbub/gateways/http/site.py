"""The site: what the front page must know before anybody is logged in."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.domain.model import Wire
from hubbub.features import accounts
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api", tags=["accounts"], route_class=StrictRoute)


class Site(Wire):
    """What anybody may know of this place."""

    needs_owner: bool
    """Whether nobody has used the owner's link yet."""
    signup: Literal["invite", "open", "closed"]
    """Who may make an account."""
    accounts: Literal["own", "host"]
    """`host`: the app around this one knows who people are, and there is nothing to log in with here."""
    name: str
    version: str


@router.get("/setup", response_model=Site, responses=refusals())
async def look_at_site(request: Request, services: Running) -> Response:
    """Whether there is an owner yet, and how one gets in."""
    settings, hosted = services.settings, services.external_auth is not None
    return reply(
        {
            "needs_owner": not hosted and await services.read(accounts.needs_owner),
            "signup": "closed" if hosted else settings.signup,
            "accounts": "host" if hosted else "own",
            "name": settings.name,
            "version": request.app.version,
        }
    )
