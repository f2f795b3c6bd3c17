"""Routes for webhooks: URLs that get the events of a room, or of all public rooms."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import StringConstraints

from hubbub.domain.commands import Id, MessageSeq, Seq
from hubbub.domain.commands.webhooks import (
    CreateWebhook,
    DeleteWebhook,
    DropWebhookDeadLetter,
    ReplayWebhook,
    RetryWebhookDeadLetter,
    RotateWebhookSecret,
    UpdateWebhook,
    WebhookEvents,
    WebhookName,
    WebhookUrl,
)
from hubbub.domain.errors import BadRequest
from hubbub.domain.model import Frozen, Wire
from hubbub.domain.model.followers import DeadLetter
from hubbub.domain.model.webhooks import Delivery, Webhook
from hubbub.domain.text import Key
from hubbub.engine.services import Services
from hubbub.features import webhooks
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.outbound import RefusedAddress
from hubbub.protocol.webhooks import new_secret, secret_of

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], route_class=StrictRoute)
WebhookId = Annotated[Id, Path(description="The webhook's id.", examples=[1])]
RoomId = Annotated[Id, Path(description="The room's id.", examples=[1])]
EntrySeq = Annotated[MessageSeq, Path(description="The event's seq.", examples=[1])]
AfterLetter = Annotated[
    str,
    StringConstraints(max_length=80, pattern=r"^([a-z]+(:[0-9]{1,16})?,[0-9]{1,16})?$"),
    Query(description="The `topic` and the `seq` of the last entry of the previous page, separated by a comma."),
]


class NewWebhook(Frozen):
    """A webhook to create. A retry with the same `key` returns the same webhook."""

    room: Id | None = None
    """The room that sends its events. Without one, all public rooms do, which only admins may choose."""
    name: WebhookName
    url: WebhookUrl
    events: WebhookEvents
    key: Key | None = None


class WebhookChanges(Frozen):
    """What to change. Fields that are left out stay."""

    name: WebhookName | None = None
    url: WebhookUrl | None = None
    events: WebhookEvents | None = None
    paused: bool | None = None
    """True pauses the webhook. False resumes it, or tries a failing one again at once."""


class Replay(Frozen):
    """Where to go back to."""

    room: Id | None = None
    """The room; null for all rooms of the webhook."""
    seq: Seq = 0
    """The events after this seq are sent again, those before the webhook's creation excepted."""


class Webhooks(Wire):
    """The webhooks of a room or of the site, the oldest first."""

    webhooks: list[Webhook]


class Deliveries(Wire):
    """The last attempts to send events, the newest first."""

    deliveries: list[Delivery]


class WebhookDeadLetters(Wire):
    """A page of events that the server has given up, in the order of topics and seqs."""

    dead_letters: list[DeadLetter]
    more: bool
    """Whether there are further dead letters."""


@router.post("", status_code=201, response_model=Webhook, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def create_webhook(body: NewWebhook, caller: Active, services: Running) -> Response:
    """Create a webhook of a room (its owner and admins) or of the site (admins).

    It gets the events after its creation. Only this response has the `secret` that signs them; a
    retry with the same key has it as well.
    """
    _check_url(services, body.url)
    if body.key is not None:
        secret = secret_of(services.tokens.derived("webhook", caller.id, body.key))
    else:
        secret = new_secret(secrets.token_bytes(32))
    command = CreateWebhook(
        room=body.room, name=body.name, url=body.url, events=body.events, secret=secret, key=body.key
    )
    made = (await services.journal.submit(command, caller.actor)).answer
    found = await services.read(webhooks.show, caller.actor, made["webhook"])
    return reply(_dump(found, secret if made["is_secret"] else None), 201)


@router.get("", response_model=Webhooks, responses=refusals(400, 401, 403, 404))
async def list_webhooks(
    caller: LoggedIn,
    services: Running,
    room: Annotated[
        Id | None, Query(description="Lists the webhooks of this room; without it, those of the site.")
    ] = None,
) -> Response:
    """List webhooks without their secrets: what waits for them, and the last attempt of each."""
    found = await services.read(webhooks.stored, caller.actor, room)
    return reply({"webhooks": [_dump(await services.read(webhooks.describe, each)) for each in found]})


@router.get("/{webhook}", response_model=Webhook, responses=refusals(400, 401, 403, 404))
async def show_webhook(webhook: WebhookId, caller: LoggedIn, services: Running) -> Response:
    """Return a webhook without its secret."""
    return reply(_dump(await services.read(webhooks.show, caller.actor, webhook)))


@router.patch("/{webhook}", response_model=Webhook, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def update_webhook(webhook: WebhookId, body: WebhookChanges, caller: Active, services: Running) -> Response:
    """Change a webhook, pause or resume it. The user who resumes it becomes responsible for it."""
    if body.url is not None:
        _check_url(services, body.url)
    await services.journal.submit(UpdateWebhook(webhook=webhook, **body.model_dump()), caller.actor)
    return reply(_dump(await services.read(webhooks.show, caller.actor, webhook)))


@router.post("/{webhook}/secret", response_model=Webhook, responses=refusals(400, 401, 403, 404, 429))
async def rotate_webhook_secret(webhook: WebhookId, caller: Active, services: Running) -> Response:
    """Replace the secret. Only this response has the new one. For a day, both sign."""
    secret = new_secret(secrets.token_bytes(32))
    await services.journal.submit(RotateWebhookSecret(webhook=webhook, secret=secret), caller.actor)
    return reply(_dump(await services.read(webhooks.show, caller.actor, webhook), secret))


@router.delete("/{webhook}", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 404, 429))
async def delete_webhook(webhook: WebhookId, caller: Active, services: Running) -> Response:
    """Delete a webhook and what is stored about its deliveries."""
    await services.journal.submit(DeleteWebhook(webhook=webhook), caller.actor)
    return Response(status_code=204)


@router.post("/{webhook}/test", response_model=Delivery, responses=refusals(400, 401, 403, 404, 429))
async def test_webhook(webhook: WebhookId, caller: Active, services: Running) -> Response:
    """Send a test event now, also to a paused webhook, and return what happened."""
    return reply((await services.webhooks.test(caller.actor, webhook)).model_dump())


@router.post(
    "/{webhook}/replay", status_code=204, response_class=Response, responses=refusals(400, 401, 403, 404, 413, 429)
)
async def replay_webhook(webhook: WebhookId, body: Replay, caller: Active, services: Running) -> Response:
    """Send events again: those of a room after a seq, or those of all rooms."""
    command = ReplayWebhook(webhook=webhook, room=body.room, seq=body.seq)
    await services.journal.submit(command, caller.actor)
    return Response(status_code=204)


@router.get("/{webhook}/deliveries", response_model=Deliveries, responses=refusals(400, 401, 403, 404))
async def list_webhook_deliveries(webhook: WebhookId, caller: LoggedIn, services: Running) -> Response:
    """List the last 50 attempts to send events, failed ones too, without what was sent."""
    found = await services.read(webhooks.deliveries, caller.actor, webhook)
    return reply({"deliveries": [each.model_dump() for each in found]})


@router.get("/{webhook}/dead-letters", response_model=WebhookDeadLetters, responses=refusals(400, 401, 403, 404))
async def list_webhook_dead_letters(
    webhook: WebhookId, caller: LoggedIn, services: Running, after: AfterLetter = "", limit: Limit = 50
) -> Response:
    """List the events that the server has given up, with the reasons."""
    found = await services.read(webhooks.dead_letters, caller.actor, webhook, after, limit + 1)
    return reply({"dead_letters": [each.model_dump() for each in found[:limit]], "more": len(found) > limit})


@router.post(
    "/{webhook}/dead-letters/retry",
    status_code=204,
    response_class=Response,
    responses=refusals(400, 401, 403, 404, 429),
)
async def retry_webhook_dead_letters(webhook: WebhookId, caller: Active, services: Running) -> Response:
    """Send all events again that the server has given up. Those that succeed leave the list."""
    await services.journal.submit(RetryWebhookDeadLetter(webhook=webhook), caller.actor)
    return Response(status_code=204)


@router.post(
    "/{webhook}/dead-letters/{room}/{seq}/retry",
    status_code=204,
    response_class=Response,
    responses=refusals(400, 401, 403, 404, 429),
)
async def retry_webhook_dead_letter(
    webhook: WebhookId, room: RoomId, seq: EntrySeq, caller: Active, services: Running
) -> Response:
    """Send an event again that the server has given up. If that succeeds, it leaves the list."""
    command = RetryWebhookDeadLetter(webhook=webhook, room=room, seq=seq)
    await services.journal.submit(command, caller.actor)
    return Response(status_code=204)


@router.delete(
    "/{webhook}/dead-letters/{room}/{seq}",
    status_code=204,
    response_class=Response,
    responses=refusals(400, 401, 403, 404, 429),
)
async def drop_webhook_dead_letter(
    webhook: WebhookId, room: RoomId, seq: EntrySeq, caller: Active, services: Running
) -> Response:
    """Remove an event from the dead letters. It is never sent."""
    await services.journal.submit(DropWebhookDeadLetter(webhook=webhook, room=room, seq=seq), caller.actor)
    return Response(status_code=204)


def _check_url(services: Services, url: str) -> None:
    try:
        services.outbound.check_url(url)
    except RefusedAddress as refusal:
        raise BadRequest(f"url: {refusal}") from None


def _dump(webhook: Webhook, secret: str | None = None) -> dict[str, object]:
    """Return a webhook as JSON, with the secret if the caller gets it."""
    found = webhook.model_dump(exclude={"secret"})
    return found if secret is None else {**found, "secret": secret}
