"""The operator's interface: HTTP on the socket `control.sock` in the data folder.

Each of several processes that share the folder has a socket of its own, and acts for the site.

There is no log-in. The caller may do everything, because only the system user of the server can open
the socket.
"""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, FastAPI, Query
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hubbub import control
from hubbub.control import (
    DIFFERENT_VERSIONS,
    MAX_WAIT,
    ChangeSetting,
    CreateUser,
    ListDeadLetters,
    ListFollowers,
    ListSettings,
    ListUsers,
    LockUser,
    MakeInvite,
    MakeResetLink,
    RebuildSearch,
    Replay,
    Request,
    SetFollowerPaused,
    SetPassword,
    SettleLetter,
    ShowSearch,
    Tail,
)
from hubbub.domain.errors import BadRequest
from hubbub.domain.model import User, Wire
from hubbub.domain.text import MAX_ID
from hubbub.engine.search import Progress
from hubbub.engine.services import Services
from hubbub.gateways.http import errors, workers
from hubbub.gateways.http.app import Application, add_routes
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.followers import DeadLetters, Followers
from hubbub.gateways.http.middleware import EdgeMiddleware
from hubbub.gateways.http.site_settings import Settings
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.metrics import CONTENT_TYPE
from hubbub.version import __version__

logger = structlog.get_logger(__name__)
router = APIRouter(route_class=StrictRoute)


class Created(Wire):
    """The new account."""

    user: User


class Listed(User):
    """A user, as the operator sees them."""

    disabled: bool
    deleted: bool


class UserPage(Wire):
    """A page of users, ordered by id."""

    users: list[Listed]
    more: bool
    """Whether there are further users."""


class ResetLink(Wire):
    """A link that sets a password once."""

    link: str
    hours: int
    """How long the link works."""


class InviteLink(Wire):
    """An invite into the site."""

    link: str


class TailPage(Wire):
    """The next entries of a log."""

    topic: str
    name: str
    epoch: str
    floor: int
    head: int
    last: int
    """The position after these entries: `after` of the next request."""
    events: list[dict[str, Any]]
    """The entries, as on the wire."""
    reset: bool
    """Whether entries after the given position are gone, or it is of another history."""


class Done(Wire):
    """The request was executed."""


async def _perform(services: Services, request: Request) -> Response:
    if not isinstance(request, Tail):  # repeated every few seconds
        logger.info("control_request", route=" ".join(request.route))
    return reply(await control.perform(services, request))


@router.post(CreateUser.route[1], response_model=Created, responses=refusals(400, 409, 413))
async def create_user(body: CreateUser, services: Running) -> Response:
    """Create an account with any role."""
    return await _perform(services, body)


@router.get(ListUsers.route[1], response_model=UserPage, responses=refusals(400))
async def list_users(services: Running, after: int = 0) -> Response:
    """List the accounts whose id is greater than `after`."""
    return await _perform(services, ListUsers(after=after))


@router.put(LockUser.route[1], response_model=Done, responses=refusals(400, 404, 409, 413))
async def set_disabled(body: LockUser, services: Running) -> Response:
    """Disable or enable an account. The sessions of a disabled account end at once."""
    return await _perform(services, body)


@router.put(SetPassword.route[1], response_model=Done, responses=refusals(400, 404, 409, 413))
async def set_password(body: SetPassword, services: Running) -> Response:
    """Set a password. All sessions of the account end."""
    return await _perform(services, body)


@router.post(MakeResetLink.route[1], response_model=ResetLink, responses=refusals(400, 404, 409, 413))
async def create_reset_link(body: MakeResetLink, services: Running) -> Response:
    """Create a link with which a user can set a new password once."""
    return await _perform(services, body)


@router.post(MakeInvite.route[1], response_model=InviteLink, responses=refusals(400, 413))
async def create_invite(body: MakeInvite, services: Running) -> Response:
    """Create an invite that allows sign-up."""
    return await _perform(services, body)


@router.get(Tail.route[1], response_model=TailPage, responses=refusals(400, 404, 409))
async def tail(
    services: Running,
    topic: str,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    epoch: str | None = None,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 0,
) -> Response:
    """Read the log of a room or of the site, and wait for new entries."""
    return await _perform(services, Tail(topic=topic, after=after, epoch=epoch, wait=wait))


@router.post(RebuildSearch.route[1], response_model=Progress, responses=refusals(400, 413))
async def rebuild_search(body: RebuildSearch, services: Running) -> Response:
    """Begin to build the search index again. Returns how far it is built."""
    return await _perform(services, body)


@router.get(ShowSearch.route[1], response_model=Progress, responses=refusals(400))
async def show_search(services: Running) -> Response:
    """Return how far the search index is built."""
    return await _perform(services, ShowSearch())


@router.get(ListFollowers.route[1], response_model=Followers, responses=refusals(400))
async def list_followers(services: Running, after: str = "") -> Response:
    """List the followers with names after `after`."""
    return await _perform(services, ListFollowers(after=after))


@router.put(SetFollowerPaused.route[1], response_model=Done, responses=refusals(400, 404, 409, 413))
async def set_follower_paused(body: SetFollowerPaused, services: Running) -> Response:
    """Pause or resume a follower."""
    return await _perform(services, body)


@router.post(Replay.route[1], response_model=Done, responses=refusals(400, 404, 413))
async def replay_follower(body: Replay, services: Running) -> Response:
    """Let a follower handle the entries after a position again, in one topic or in all topics."""
    return await _perform(services, body)


@router.get(ListDeadLetters.route[1], response_model=DeadLetters, responses=refusals(400, 404))
async def list_dead_letters(services: Running, follower: str, after: str = "") -> Response:
    """List the dead letters of a follower after `topic,seq`."""
    return await _perform(services, ListDeadLetters(follower=follower, after=after))


@router.post(SettleLetter.route[1], response_model=Done, responses=refusals(400, 404, 413))
async def settle_dead_letter(body: SettleLetter, services: Running) -> Response:
    """Let a follower handle a dead letter again, or drop it."""
    return await _perform(services, body)


@router.get(ListSettings.route[1], response_model=Settings, responses=refusals(400))
async def list_settings(services: Running) -> Response:
    """List the settings of the site: their values, where these come from, and which are fixed."""
    return await _perform(services, ListSettings())


@router.put(ChangeSetting.route[1], response_model=Settings, responses=refusals(400, 404, 409, 413))
async def change_setting(body: ChangeSetting, services: Running) -> Response:
    """Set or unset a setting of the site. Returns it, unless this version does not have it."""
    return await _perform(services, body)


@router.get(workers.PATH, include_in_schema=False)
async def metrics(services: Running) -> Response:
    """Return the metrics of the process that owns the socket, for those that share its folder."""
    return Response(await services.metrics.scrape(), media_type=CONTENT_TYPE)


def create_operator_app(services: Services) -> FastAPI:
    """Return the application for the operator's socket. It must not listen anywhere else."""
    app = Application(
        title=f"{services.site.name}: the operator's interface",
        version=__version__,
        description=__doc__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    errors.install(app)
    # The command line sends valid requests: others come from another version of it.
    app.add_exception_handler(RequestValidationError, _different)
    app.add_exception_handler(HTTPException, _different)
    add_routes(app, router)
    app.add_middleware(EdgeMiddleware, services=services)
    return app


async def _different(_request: HttpRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else None
    return errors.answer(BadRequest(DIFFERENT_VERSIONS), status=status)
