"""Routes that create an account and delete your own."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import CreateAccount, DeleteAccount
from hubbub.domain.model import ANYBODY, Frozen, User
from hubbub.domain.names import UserName
from hubbub.domain.text import ShortText, Text
from hubbub.features import accounts
from hubbub.gateways.http import auth, logins
from hubbub.gateways.http.auth import Active, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import secret_hash

router = APIRouter(prefix="/api", tags=["accounts"], route_class=StrictRoute)


class NewAccount(Frozen):
    """A sign-up.

    `invite` and `setup` are the tokens of an invite link and of the owner's setup link.
    """

    username: UserName = Field(
        description="1 to 32 letters, digits, dots, dashes and underscores, in one script.",
        json_schema_extra={"minLength": 1, "maxLength": 32},
        examples=["alice"],
    )
    password: Text = Field(
        description="At least 8 characters, at most 1,024 bytes.",
        json_schema_extra={"minLength": 8, "maxLength": 1024},
        examples=[logins.EXAMPLE],
    )
    invite: ShortText | None = None
    setup: ShortText | None = None


class Password(Frozen):
    """The caller's own password, as confirmation."""

    password: Text = Field(examples=[logins.EXAMPLE])


@router.post(
    "/users",
    status_code=201,
    response_model=User,
    responses=refusals(400, 403, 409, 413, 421, 429),
    dependencies=[auth.OwnHost, auth.OwnPage],
)
async def create_user(body: NewAccount, request: Request, services: Running) -> Response:
    """Create an account.

    This does not log in: call `POST /api/login` or `POST /token` next.
    """
    logins.acceptable(body.password, body.username)
    address = auth.address_of(request)
    command = CreateAccount(
        username=body.username,
        password_hash="",
        invite_hash=secret_hash(body.invite) if body.invite is not None else None,
        setup_hash=secret_hash(body.setup) if body.setup is not None else None,
        signup=services.site.signup,
    )
    services.limits.attempt(address)
    await services.read(accounts.may_create, command, ANYBODY, services.clock.now())
    if body.invite is None and body.setup is None:  # colleagues in one office share an address and sign up by invite
        services.limits.signup(address)
    password_hash = await services.passwords.hash(body.password, network(address))
    # Sign-up may have been closed meanwhile.
    now = {"password_hash": password_hash, "signup": services.site.signup}
    receipt = await services.journal.submit(command.model_copy(update=now), ANYBODY)
    return reply(receipt.answer["user"], 201)


@router.delete("/users/me", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 413, 429))
async def delete_current_user(body: Password, caller: Active, request: Request, services: Running) -> Response:
    """Delete the caller's account.

    The name becomes available again. The user's messages stay, under a neutral author name; events
    keep the name the user had at the time until the events are trimmed.
    """
    stored = await logins.confirm(services, caller, body.password, auth.address_of(request))
    await services.journal.submit(DeleteAccount(user=caller.id, seen_hash=stored), caller.actor)
    answer = Response(status_code=204)
    if caller.by_cookie:
        logins.delete_cookie(request, answer)
    return answer
