"""Routes for sessions and passwords: cookies for browsers, tokens for programs."""

import contextlib
import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import ChangePassword, RevokeSessions, RotateSession
from hubbub.domain.errors import BadRequest, Forbidden, HubbubError, Unauthenticated
from hubbub.domain.model import ANYBODY, Frozen, Session, User, Wire
from hubbub.domain.text import ShortText, Text, check
from hubbub.engine.services import Services
from hubbub.features import invites, sessions
from hubbub.features.accounts import USED_LINK
from hubbub.gateways.http import auth, logins
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import TokenRefused, refusals
from hubbub.gateways.http.strict_json import FORM, JSON, StrictRoute, media_type, read_form, read_json, reply
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import new_secret, secret_hash

router = APIRouter(tags=["sessions"], route_class=StrictRoute)
GRACE = 30_000
"""Milliseconds in which a used refresh token still returns the same successor, also if that was used.

Several requests of a client may be under way with it.
"""


class Login(Frozen):
    """A username and password."""

    username: Text = Field(examples=["alice"])
    password: Text = Field(examples=[logins.EXAMPLE])


class NewPassword(Frozen):
    """The current password, and a new one of 8 characters to 1,024 bytes."""

    current_password: Text = Field(examples=[logins.EXAMPLE])
    new_password: Text = Field(examples=["four words that are hard to guess"])


class NewStart(Frozen):
    """A new password set with a reset link; `token` is the link's token."""

    token: ShortText
    password: Text = Field(examples=[logins.EXAMPLE])


class TokenPair(Wire):
    """An access token, and the refresh token that gets the next pair."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    """Seconds."""
    refresh_token: str
    """Works once."""


class Sessions(Wire):
    """The caller's sessions, the most recently used first."""

    sessions: list[Session]


def _form(*fields: str, optional: tuple[str, ...] = (), **example: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in (*fields, *optional)}
    schema = {"type": "object", "required": list(fields), "properties": properties}
    return {"schema": schema, **({"example": example} if example else {})}


TOKEN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: _form(
                "username",
                "password",
                optional=("grant_type", "scope", "client_id", "client_secret"),
                username="alice",
                password=logins.EXAMPLE,
            )
        },
    }
}
REFRESH_BODY = {
    "requestBody": {"required": True, "content": {JSON: _form("refresh_token"), FORM: _form("refresh_token")}}
}


@router.post(
    "/api/login", response_model=User, responses=refusals(400, 401, 403, 413, 429), dependencies=[auth.OwnPage]
)
async def log_in(body: Login, request: Request) -> Response:
    """Open a browser session. The response sets its cookie."""
    opened = await logins.open_session(request, body.username, body.password, browser=True)
    assert opened.cookie is not None, "a browser session has a cookie"
    answer = reply(opened.account.profile().model_dump())
    logins.set_cookie(request, answer, opened.cookie)
    logins.set_device_cookie(request, answer, body.username)
    return answer


@router.post("/api/logout", status_code=204, response_class=Response, responses=refusals(401, 403, limited=False))
async def log_out(caller: LoggedIn, request: Request, services: Running) -> Response:
    """End the caller's session and close its connections."""
    await services.journal.submit(RevokeSessions(session=caller.identity.session), caller.actor)
    answer = Response(status_code=204)
    if caller.by_cookie:
        logins.delete_cookie(request, answer)
    return answer


@router.post(
    "/token",
    response_model=TokenPair,
    responses=refusals(400, 401, 403, 413, 429, token=True),
    openapi_extra=TOKEN_BODY,
    dependencies=[auth.OwnPage],
)
async def create_token(request: Request, services: Running) -> Response:
    """Log a program in with the OAuth2 password form.

    Returns an access token and a refresh token.
    """
    form = await read_form(request)
    if form.get("grant_type", "password") not in ("password", ""):
        raise BadRequest("grant_type: must be password.")
    for name in ("username", "password"):
        if name not in form:
            raise BadRequest(f"{name}: is required.")
    try:
        opened = await logins.open_session(request, form["username"], form["password"], browser=False)
    except Unauthenticated:
        raise TokenRefused() from None
    return reply(_pair(services, opened.account.id, opened.session, 0))


@router.post(
    "/token/refresh",
    response_model=TokenPair,
    responses=refusals(400, 401, 403, 413, 429, token=True),
    openapi_extra=REFRESH_BODY,
    dependencies=[auth.OwnPage],
)
async def refresh_token(request: Request, services: Running) -> Response:
    """Exchange a refresh token for a new pair.

    The same refresh token returns the same pair again until the new access token is used, since the answer may get
    lost. Using it later ends the session.
    """
    token = await _refresh_token(request)
    try:
        session, generation = services.tokens.parse_refresh(token)
        user = await services.read(sessions.owner, session)
        if user is None:
            raise Unauthenticated()
        services.limits.refresh(user)
        idle, longest = services.lifetimes
        command = RotateSession(
            session=session, user=user, generation=generation, grace=GRACE, idle=idle, longest=longest
        )
        receipt = await services.journal.submit(command, ANYBODY)
    except Unauthenticated:
        raise TokenRefused("Your session has ended. Log in again.") from None
    following = receipt.answer["generation"]
    if following is None:
        raise TokenRefused("Your session has ended. Log in again.")
    return reply(_pair(services, user, session, following))


@router.get("/api/sessions", response_model=Sessions, responses=refusals(401))
async def list_sessions(caller: LoggedIn, services: Running) -> Response:
    """List the caller's sessions, the most recently used first."""
    now = services.clock.now()
    with contextlib.suppress(HubbubError):  # what is stored is shown all the same
        for live in services.hub.identities_of(caller.id):
            if live.is_stale(now, sessions.MINUTE):
                await services.journal.submit(services.touching(live), live.actor())
    return reply(await services.read(sessions.listing, caller.id, caller.identity.session, now))


@router.delete(
    "/api/sessions/{session}", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 404, 429)
)
async def end_session(session: Annotated[ShortText, Path()], caller: Active, services: Running) -> Response:
    """End one of the caller's sessions and close its connections."""
    await services.journal.submit(RevokeSessions(session=session), caller.actor)
    return Response(status_code=204)


@router.put(
    "/api/users/me/password", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 413, 429)
)
async def change_password(body: NewPassword, caller: Active, request: Request, services: Running) -> Response:
    """Change the password and end all other sessions. A browser gets a new cookie."""
    logins.acceptable(body.new_password, caller.identity.name)
    stored = await logins.confirm(services, caller, body.current_password, auth.address_of(request))
    cookie = new_secret(secrets.token_bytes(32)) if caller.by_cookie else None
    command = ChangePassword(
        user=caller.id,
        password_hash=await services.passwords.hash(body.new_password, network(auth.address_of(request))),
        seen_hash=stored,
        keep=caller.identity.session,
        token_hash=secret_hash(cookie) if cookie is not None else None,
    )
    await services.journal.submit(command, caller.actor)
    answer = Response(status_code=204)
    if cookie is not None:
        logins.set_cookie(request, answer, cookie)
    return answer


@router.post(
    "/api/reset",
    status_code=204,
    response_class=Response,
    responses=refusals(400, 403, 413, 429),
    dependencies=[auth.OwnPage],
)
async def reset_password(body: NewStart, request: Request, services: Running) -> Response:
    """Set a password with a reset link and end all sessions. The link works once."""
    services.limits.attempt(auth.address_of(request))
    token_hash = secret_hash(body.token)
    user = await services.read(invites.reset_owner, token_hash, services.clock.now())
    if user is None:
        raise Forbidden(USED_LINK)
    logins.acceptable(body.password)
    password_hash = await services.passwords.hash(body.password, network(auth.address_of(request)))
    await services.journal.submit(
        ChangePassword(user=user, password_hash=password_hash, reset_hash=token_hash), ANYBODY
    )
    return Response(status_code=204)


async def _refresh_token(request: Request) -> str:
    """Return the refresh token from a JSON body or a form."""
    body: dict[str, Any] = dict(await read_form(request)) if media_type(request) == FORM else await read_json(request)
    token = body.get("refresh_token")
    if not isinstance(token, str):
        raise BadRequest("refresh_token: must be a string.")
    return check(token)


def _pair(services: Services, user: int, session: str, generation: int) -> dict[str, object]:
    lifetime = services.settings.access_token_seconds
    return {
        "access_token": services.tokens.access(user, session, services.clock.now(), lifetime),
        "token_type": "bearer",
        "expires_in": lifetime,
        "refresh_token": services.tokens.refresh(session, generation),
    }
