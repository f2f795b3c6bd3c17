"""Routes for invites into the site or a room: create, list, revoke, check, accept."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import AcceptInvite, CreateInvite, Id, RevokeInvite
from hubbub.domain.model import Frozen, Invite, RoomPosition, Wire
from hubbub.domain.text import MAX_PAGE, Key, Place, ShortText
from hubbub.features import invites
from hubbub.gateways.http import auth
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.protocol import headers
from hubbub.protocol.tokens import new_secret, secret_hash

router = APIRouter(prefix="/api/invites", tags=["invites"], route_class=StrictRoute)
WEEK = 7 * 24 * 3_600
LAST = "The `created_at` and the `id` of the last entry of the previous page, separated by a comma."
TEN_YEARS = 10 * 365 * 24 * 3_600


class NewInvite(Frozen):
    """An invite to create. With a `room`, it also admits to that room.

    A retry with the same `key` returns the same invite. Only invites created by admins allow
    sign-up.
    """

    max_uses: Annotated[int, Field(ge=1, le=100_000)] | None = Field(1, description="null for any number")
    expires_in: Annotated[int, Field(ge=1, le=TEN_YEARS)] | None = Field(WEEK, description="seconds; null for never")
    room: Id | None = None
    key: Key | None = None


class Token(Frozen):
    """The token of an invite link."""

    token: ShortText


class Checked(Wire):
    """What an invite allows at present."""

    valid: bool
    """Whether the invite is usable at all."""
    signup: bool
    """Whether the invite allows sign-up. Otherwise only users with an account can use it."""
    room: int | None
    """The id of the room the invite admits to; null for the site alone."""
    room_name: str | None
    """That room's name."""


class Invites(Wire):
    """A page of usable invites, newest first."""

    invites: list[Invite]
    more: bool
    """Whether there are further invites."""


@router.post("", status_code=201, response_model=Invite, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def create_invite(body: NewInvite, caller: Active, request: Request, services: Running) -> Response:
    """Create an invite.

    Only this response contains the token; a retry with the same key returns both again.
    """
    if body.key is not None:
        token = services.tokens.derived("invite", caller.id, body.key)
    else:
        token = new_secret(secrets.token_bytes(32))
    expires_in = body.expires_in * 1_000 if body.expires_in is not None else None
    command = CreateInvite(
        token_hash=secret_hash(token),
        max_uses=body.max_uses,
        expires_in=expires_in,
        room=body.room,
        key=body.key,
        accounts=services.external_auth is None,
    )
    made = (await services.journal.submit(command, caller.actor)).answer["invite"]
    return reply({**made, "token": token, "link": f"{_address(request)}/invite#{token}"}, 201)


@router.get("", response_model=Invites, responses=refusals(400, 401, 403, 404))
async def list_invites(
    caller: LoggedIn,
    services: Running,
    room: Annotated[
        Id | None, Query(description="Lists the invites into this room; without it, those into the site.")
    ] = None,
    before: Annotated[Place | None, Query(description=LAST, examples=[f"2026-11-22T13:05:03.123Z,{'0' * 22}"])] = None,
    limit: Limit = MAX_PAGE,
) -> Response:
    """List the usable invites, newest first, without their tokens."""
    now = services.clock.now()
    return reply(await services.read(invites.listing, caller.actor, room, now, before, limit))


@router.delete("/{invite}", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 404, 429))
async def revoke_invite(invite: Annotated[ShortText, Path()], caller: Active, services: Running) -> Response:
    """Revoke an invite."""
    await services.journal.submit(RevokeInvite(invite=invite), caller.actor)
    return Response(status_code=204)


@router.post("/check", response_model=Checked, responses=refusals(400, 413, 429))
async def check_invite(body: Token, request: Request, services: Running) -> Response:
    """Return what a token allows at present."""
    services.limits.attempt(auth.address_of(request))
    return reply(await services.read(invites.opens, secret_hash(body.token), services.clock.now()))


@router.post("/accept", response_model=RoomPosition, responses=refusals(400, 401, 403, 409, 413, 429))
async def accept_invite(body: Token, caller: Active, services: Running) -> Response:
    """Join the room of an invite.

    An invite is not used up if the caller is a member already or may not join.
    """
    command = AcceptInvite(token_hash=secret_hash(body.token))
    return reply((await services.journal.submit(command, caller.actor)).answer)


def _address(request: Request) -> str:
    """Return the base URL for links.

    It is `public_url` if set, else the request's host if that is trustworthy.

    A host is trustworthy if it belongs to a configured origin or to this machine's own names.
    """
    settings, root = auth.services_of(request).settings, request.scope.get("root_path", "")
    host = headers.value(auth.raw_headers(request), b"host")
    if settings.public_url is not None or host is None:
        return settings.address
    listed = next((origin for origin in settings.origins if origin.partition("://")[2] == host), None)
    if listed is not None:
        return f"{listed}{root}"
    if not headers.is_own_name(host):
        return settings.address
    return f"{'https' if auth.is_https(request) else 'http'}://{host}{root}"
