"""The route for staff that reads the settings of the site. Those that change them are commands."""

from fastapi import APIRouter
from fastapi.responses import Response

from hubbub.domain import rules
from hubbub.domain.model import Wire
from hubbub.domain.site_settings import Setting
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/settings", tags=["site_settings"], route_class=StrictRoute)


class Settings(Wire):
    """All settings of the site."""

    settings: list[Setting]


@router.get("", response_model=Settings, responses=refusals(401, 403))
async def list_settings(caller: LoggedIn, services: Running) -> Response:
    """List the settings of the site: their values, where these come from, and which are fixed."""
    rules.may_change_settings(caller.actor)
    return reply({"settings": [each.model_dump() for each in services.live_settings.describe()]})
