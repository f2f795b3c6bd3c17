"""The public description of the site, which the front page needs before log-in."""

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
    """What the site tells all visitors, logged in or not."""

    needs_owner: bool
    """Whether the owner's setup link is still unused."""
    signup: Literal["invite", "open", "closed"]
    """Who may sign up."""
    accounts: Literal["own", "host"]
    """`host`: the host application authenticates the users, and there is no log-in here."""
    name: str
    version: str


@router.get("/site", response_model=Site, responses=refusals())
async def show_site(request: Request, services: Running) -> Response:
    """Describe the site: whether it has an owner, and how users sign up and log in."""
    site, hosted = services.site, services.external_auth is not None
    return reply(
        {
            "needs_owner": not hosted and await services.read(accounts.needs_owner),
            "signup": "closed" if hosted else site.signup,
            "accounts": "host" if hosted else "own",
            "name": site.name,
            "version": request.app.version,
        }
    )
