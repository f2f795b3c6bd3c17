"""Invites, into the site or into a room: make one, look at them, take one back; ask what one opens, and go in."""

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
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.protocol import headers
from hubbub.protocol.tokens import new_secret, secret_hash

router = APIRouter(prefix="/api/invites", tags=["invites"], route_class=StrictRoute)
WEEK = 7 * 24 * 3_600
AFTER = "The `created_at` and the `id` the page before ended with, a comma between them."
TEN_YEARS = 10 * 365 * 24 * 3_600


class NewInvite(Frozen):
    """With a `key`, a retry gets the same invite.

    With a `room`, it leads into that room as well. Only what the site's admins make opens accounts.
    """

    max_uses: Annotated[int, Field(ge=1, le=100_000)] | None = Field(1, description="null for any number")
    expires_in: Annotated[int, Field(ge=1, le=TEN_YEARS)] | None = Field(WEEK, description="seconds; null for never")
    room: Id | None = None
    key: Key | None = None


class Token(Frozen):
    """The token out of an invite's link."""

    token: ShortText


class Checked(Wire):
    """What an invite opens now."""

    valid: bool
    """Whether it opens anything."""
    signup: bool
    """Whether one can make an account with it; else it is for those who have one."""
    room: int | None
    """The id of the room it leads into; null for the site alone."""
    name: str | None
    """That room's name."""


class Invites(Wire):
    """A page of the invites that can still be used, the newest first."""

    invites: list[Invite]
    more: bool
    """Whether there are more after the last of these."""


@router.post("", status_code=201, response_model=Invite, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def create_invite(body: NewInvite, caller: Active, request: Request, services: Running) -> Response:
    """Makes an invite. Its token is in this answer only; the same key gives the same invite and token again."""
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
    assert isinstance(made, dict), "the handler answers with an invite"
    return reply({**made, "token": token, "link": f"{_address(request)}/invite#{token}"}, 201)


@router.get("", response_model=Invites, responses=refusals(400, 401, 403, 404))
async def list_invites(
    caller: Somebody,
    services: Running,
    room: Annotated[Id | None, Query(description="Those into this room; without it, those into the site.")] = None,
    after: Annotated[Place | None, Query(description=AFTER, examples=[f"2026-11-22T13:05:03.123Z,{'0' * 22}"])] = None,
    limit: Limit = MAX_PAGE,
) -> Response:
    """The invites that can still be used, the newest first, without their tokens."""
    now = services.clock.now()
    return reply(await services.read(invites.listing, caller.actor, room, now, after, limit))


@router.delete("/{invite}", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 404, 429))
async def revoke_invite(invite: Annotated[ShortText, Path()], caller: Active, services: Running) -> Response:
    """Takes an invite back."""
    await services.journal.submit(RevokeInvite(invite=invite), caller.actor)
    return Response(status_code=204)


@router.post("/check", response_model=Checked, responses=refusals(400, 413, 429))
async def check_invite(body: Token, request: Request, services: Running) -> Response:
    """What this token opens now."""
    services.limits.attempt(auth.address_of(request))
    return reply(await services.read(invites.opens, secret_hash(body.token), services.clock.now()))


@router.post("/accept", response_model=RoomPosition, responses=refusals(400, 401, 403, 409, 413, 429))
async def accept_invite(body: Token, caller: Active, services: Running) -> Response:
    """Comes into the room an invite is for. Nothing is used up by whoever is in it already, or cannot come in."""
    command = AcceptInvite(token_hash=secret_hash(body.token))
    return reply((await services.journal.submit(command, caller.actor)).answer)


def _address(request: Request) -> str:
    """Where people reach this server: as configured, else as the asker reached it, if that is no borrowed name."""
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
