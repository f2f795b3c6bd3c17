"""Webhooks: create, change, delete, and what is sent to them.

A webhook is a follower of its room, or of all rooms, with a URL. What it gets is read when it is
sent: a message that was deleted since has no text any more, and a webhook gets nothing once its
responsible user has lost the right to manage it.
"""

from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands.webhooks import (
    Attempt,
    CreateWebhook,
    DeleteWebhook,
    DropWebhookDeadLetter,
    FinishDeliveries,
    NoteAttempts,
    ReplayWebhook,
    RetryWebhookDeadLetter,
    RotateWebhookSecret,
    SuspendWebhook,
    UpdateWebhook,
    WebhookCommand,
)
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.events import FollowerChanged
from hubbub.domain.model import Actor, Nothing, room_topic
from hubbub.domain.model.followers import DeadLetter
from hubbub.domain.model.webhooks import TEST_EVENT, WEBHOOK, Delivery, Webhook, WebhookAnswer
from hubbub.domain.text import (
    MAX_ATTEMPTS_KEPT,
    MAX_ROOM_WEBHOOKS,
    MAX_SITE_WEBHOOKS,
    MAX_WEBHOOKS,
    timestamp,
)
from hubbub.features.shared.access import get_room
from hubbub.features.shared.followers import advance, dead_letters_of, register, replay, run_again
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.idempotency import OnceByKey
from hubbub.storage import followers, log, webhooks
from hubbub.storage.followers import StoredFollower
from hubbub.storage.transaction import Transaction
from hubbub.storage.webhooks import StoredWebhook

ALL_ROOMS = "room:"
ROTATION = 24 * 3_600_000
"""Milliseconds for which the secret before signs besides the new one."""
NOT_RESPONSIBLE = "The user who is responsible for this webhook may no longer manage it. Resume it to take it over."


def follower_of(webhook: int) -> str:
    return f"{WEBHOOK}{webhook}"


def scope_of(room: int | None) -> str:
    return ALL_ROOMS if room is None else room_topic(room)


@handles(CreateWebhook)
def create(request: Request[CreateWebhook], tx: Transaction) -> WebhookAnswer:
    """Create a webhook and its follower, which starts at the heads.

    The same key gives the same webhook, as it is now, with the secret if that was not replaced.
    """
    command, actor = request.command, request.actor
    _may_manage(tx.connection, actor, command.room, changing=True)
    digest = sha256(orjson.dumps([command.room, command.name, command.url, command.events])).hexdigest()
    once = OnceByKey(tx, actor, command, command.key, digest)
    if once.first_answer is not None:
        found = webhooks.find(tx.connection, int(once.first_answer["webhook"]))
        if found is None:
            raise Conflict("The webhook of this key was deleted.")
        return {"webhook": found.id, "is_secret": compare_digest(command.secret, found.secret)}
    limit = MAX_SITE_WEBHOOKS if command.room is None else MAX_ROOM_WEBHOOKS
    if webhooks.count(tx.connection, command.room) >= limit:
        where = "The site" if command.room is None else "This room"
        raise Conflict(f"{where} already has {limit} webhooks. Delete one first.")
    if webhooks.count_all(tx.connection) >= MAX_WEBHOOKS:
        raise Conflict(f"This server already has {MAX_WEBHOOKS:,} webhooks. Ask an admin to delete some.")
    new = webhooks.NewWebhook(command.room, command.name, command.url, command.events, command.secret, actor.id)
    webhook = webhooks.add(tx, new)
    register(tx, follower_of(webhook), scope_of(command.room), "head")
    tx.append(FollowerChanged(follower=follower_of(webhook)))
    once.keep({"webhook": webhook})
    return {"webhook": webhook, "is_secret": True}


@handles(UpdateWebhook)
def update(request: Request[UpdateWebhook], tx: Transaction) -> Nothing:
    """Change what is given. The user who resumes a webhook becomes responsible for it."""
    command, actor = request.command, request.actor
    found, follower = _managed(request, tx)
    given = {name: getattr(command, name) for name in ("name", "url", "events")}
    changes: dict[str, Any] = {
        name: value for name, value in given.items() if value is not None and value != getattr(found, name)
    }
    pauses = command.paused is True and follower.state != "paused"
    resumes = command.paused is False
    if (pauses or resumes) and follower.state == "starting":
        raise Conflict("This webhook is still starting. Try again in a moment.")
    if resumes and follower.state == "paused":
        changes |= {"responsible": actor.id, "paused_reason": None}
    if pauses:
        changes |= {"paused_reason": None}
    if changes:
        webhooks.change(tx, found.id, **changes)
    if resumes or ("url" in changes and follower.state == "running" and not pauses):
        run_again(tx, follower)
    elif pauses:
        followers.change(tx, follower.name, state="paused")
        tx.append(FollowerChanged(follower=follower.name))
    elif changes:
        tx.append(FollowerChanged(follower=follower.name))
    return {}


@handles(RotateWebhookSecret)
def rotate(request: Request[RotateWebhookSecret], tx: Transaction) -> Nothing:
    found, _ = _managed(request, tx)
    webhooks.change(tx, found.id, secret=request.command.secret, previous_secret=found.secret, rotated_at=tx.now)
    return {}


@handles(DeleteWebhook)
def delete(request: Request[DeleteWebhook], tx: Transaction) -> Nothing:
    """Delete a webhook. The engine removes its follower, which may have many positions."""
    found, follower = _managed(request, tx)
    webhooks.remove(tx, found.id)
    tx.append(FollowerChanged(follower=follower.name))
    return {}


@handles(ReplayWebhook)
def replay_webhook(request: Request[ReplayWebhook], tx: Transaction) -> Nothing:
    """Set back the position in a room, or in all rooms. A webhook never gets events from before its creation."""
    command = request.command
    found, follower = _managed(request, tx)
    room = _room_of(found, command.room)
    if room is not None and not _covers(tx.connection, found, room):
        raise NotFound()
    replay(tx, follower, None if room is None else room_topic(room), command.seq)
    return {}


@handles(RetryWebhookDeadLetter)
def retry(request: Request[RetryWebhookDeadLetter], tx: Transaction) -> Nothing:
    """Have dead letters handled again, at once unless the webhook is paused."""
    command = request.command
    found, follower = _managed(request, tx)
    if command.seq is None:
        followers.retry_dead_letters(tx, follower.name)
    else:
        room = _room_of(found, command.room)
        topic = "" if room is None else room_topic(room)
        if not followers.has_dead_letter(tx.connection, follower.name, topic, command.seq):
            raise NotFound()
        followers.change_dead_letter(tx, follower.name, topic, command.seq, retry=True)
    if follower.state == "running" and follower.failing_since is not None:
        run_again(tx, follower)  # a failing follower does not look at dead letters
    else:
        tx.append(FollowerChanged(follower=follower.name))
    return {}


@handles(DropWebhookDeadLetter)
def drop(request: Request[DropWebhookDeadLetter], tx: Transaction) -> Nothing:
    command = request.command
    _, follower = _managed(request, tx)
    where = (follower.name, room_topic(command.room), command.seq)
    if not followers.has_dead_letter(tx.connection, *where):
        raise NotFound()
    followers.remove_dead_letter(tx, *where)
    return {}


# --- of the engine ---------------------------------------------------------------------------------------------------


@handles(FinishDeliveries)
def finish(request: Request[FinishDeliveries], tx: Transaction) -> Nothing:
    command = request.command
    if advance(tx, command) and webhooks.find(tx.connection, command.webhook) is not None:
        webhooks.add_attempts(tx, command.webhook, command.attempts)
    return {}


@handles(NoteAttempts)
def note(request: Request[NoteAttempts], tx: Transaction) -> Nothing:
    command = request.command
    if webhooks.find(tx.connection, command.webhook) is not None:
        webhooks.add_attempts(tx, command.webhook, command.attempts)
    return {}


@handles(SuspendWebhook)
def suspend(request: Request[SuspendWebhook], tx: Transaction) -> Nothing:
    command = request.command
    follower = followers.lock(tx, [follower_of(command.webhook)]).get(follower_of(command.webhook))
    if follower is None or follower.state != "running" or webhooks.find(tx.connection, command.webhook) is None:
        return {}
    webhooks.change(tx, command.webhook, paused_reason=command.reason)
    followers.change(tx, follower.name, state="paused")
    tx.append(FollowerChanged(follower=follower.name))
    return {}


# --- what is sent ----------------------------------------------------------------------------------------------------


class Outgoing(NamedTuple):
    """What a webhook gets: `text` is the event as clients see it, None for a test event."""

    url: str
    secrets: tuple[str, ...]
    type: str
    at: str
    room: int | None
    seq: int | None
    text: bytes | None


class NotResponsible(Exception):
    """The user who is responsible for the webhook may not manage it any more."""


def wanted(connection: Connection, webhook: int, topic: str) -> frozenset[str]:
    """Return the types of events in a topic that the webhook gets now. Raises NotFound, NotResponsible."""
    found = _active(connection, webhook, topic)
    return frozenset() if found is None else frozenset(found.events)


def outgoing(connection: Connection, webhook: int, topic: str, seq: int, now: int) -> Outgoing | None:
    """Return the event at a position as it is now, None if the webhook does not get it.

    A webhook is like a member who joined when it was created: it gets no earlier events, and no text
    of earlier messages. Raises NotFound, NotResponsible.
    """
    found = _active(connection, webhook, topic)
    if found is None:
        return None
    first = followers.start_of(connection, follower_of(webhook), topic)
    page = log.since(connection, topic, seq - 1, 1, floor=first) if seq > first else None
    if page is None or not page.texts or page.last != seq:
        return None
    event = orjson.loads(page.texts[0])
    if event["type"] not in found.events:
        return None
    return Outgoing(found.url, _secrets(found, now), event["type"], event["at"], _room(topic), seq, page.texts[0])


def test_event(connection: Connection, actor: Actor, webhook: int, now: int) -> Outgoing:
    """Return a test event. Raises NotFound, Forbidden."""
    found = _find(connection, actor, webhook)
    return Outgoing(found.url, _secrets(found, now), TEST_EVENT, timestamp(now), None, None, None)


# --- queries ---------------------------------------------------------------------------------------------------------


def stored(connection: Connection, actor: Actor, room: int | None) -> list[StoredWebhook]:
    """Return the webhooks of a room, or of the site, to be described one by one. Raises NotFound, Forbidden."""
    _may_manage(connection, actor, room)
    return webhooks.listing(connection, room)


def show(connection: Connection, actor: Actor, webhook: int) -> Webhook:
    """Return a webhook. Raises NotFound, Forbidden."""
    return describe(connection, _find(connection, actor, webhook))


def describe(connection: Connection, found: StoredWebhook) -> Webhook:
    """Return a webhook as its managers see it, without its secret."""
    follower = followers.find(connection, follower_of(found.id))
    if follower is None:
        raise NotFound()
    lag = followers.lag(connection, follower.name, follower.scope)
    last = webhooks.attempts_of(connection, found.id, 1)
    waiting = followers.next_attempt(connection, follower.name)
    times = [each for each in (follower.next_attempt_at, waiting) if each]
    return Webhook(
        id=found.id,
        room=found.room,
        name=found.name,
        url=found.url,
        events=list(found.events),
        state=follower.state,
        paused_reason=found.paused_reason,
        created_by=found.created_by,
        created_at=timestamp(found.created_at),
        rotated_at=_time(found.rotated_at),
        waiting_count=lag.entries,
        oldest_at=_time(lag.oldest_at),
        failing_since=_time(follower.failing_since),
        next_attempt_at=_time(min(times, default=None)) if follower.state == "running" else None,
        dead_letter_count=followers.count_dead_letters(connection, follower.name),
        last_delivery=delivery(last[0]) if last else None,
    )


def deliveries(connection: Connection, actor: Actor, webhook: int) -> list[Delivery]:
    """Return the last attempts, the newest first. Raises NotFound, Forbidden."""
    found = _find(connection, actor, webhook)
    return [delivery(each) for each in webhooks.attempts_of(connection, found.id, MAX_ATTEMPTS_KEPT)]


def dead_letters(connection: Connection, actor: Actor, webhook: int, after: str, limit: int) -> list[DeadLetter]:
    """Return the events that the server has given up, after a `topic,seq`. Raises NotFound, Forbidden."""
    found = _find(connection, actor, webhook)
    return dead_letters_of(connection, follower_of(found.id), after, limit)


# --- parts -----------------------------------------------------------------------------------------------------------


def _may_manage(connection: Connection, actor: Actor, room: int | None, *, changing: bool = False) -> None:
    """Raise NotFound if the room is hidden from the actor, Forbidden if they may not manage its webhooks."""
    if room is None:
        rules.may_manage_site_webhooks(actor)
    else:
        rules.may_manage_webhooks(actor, get_room(connection, actor.id, room), changing=changing)


def _find(connection: Connection, actor: Actor, webhook: int) -> StoredWebhook:
    found = webhooks.find(connection, webhook)
    if found is None:
        raise NotFound()
    _may_manage(connection, actor, found.room)
    return found


def _managed(request: Request[Any], tx: Transaction) -> tuple[StoredWebhook, StoredFollower]:
    """Lock the follower of a webhook that the actor may manage. Raises NotFound, Forbidden."""
    command: WebhookCommand[Any] = request.command
    name = follower_of(command.webhook)
    follower = followers.lock(tx, [name]).get(name)
    found = _find(tx.connection, request.actor, command.webhook)
    if follower is None:
        raise NotFound()
    return found, follower


def _active(connection: Connection, webhook: int, topic: str) -> StoredWebhook | None:
    """Return the webhook, None if it does not cover the topic. Raises NotFound, NotResponsible."""
    found = webhooks.find(connection, webhook)
    if found is None:
        raise NotFound()
    if not _covers(connection, found, _room(topic)):
        return None
    _check_responsible(connection, found)
    return found


def _check_responsible(connection: Connection, found: StoredWebhook) -> None:
    user = webhooks.responsible_of(connection, found.responsible)
    if user is None:
        raise NotResponsible()
    actor = Actor(id=found.responsible, name=user[0], role=user[1])
    try:
        _may_manage(connection, actor, found.room)
    except (Forbidden, NotFound):
        raise NotResponsible() from None


def _covers(connection: Connection, found: StoredWebhook, room: int) -> bool:
    """Return whether the webhook gets events of the room: its own one, or any public room."""
    return found.room == room if found.room is not None else webhooks.is_open_to_all(connection, room)


def _room_of(found: StoredWebhook, room: int | None) -> int | None:
    """Return the room that a command is about; None for all rooms of a webhook of the site."""
    return found.room if room is None else room


def _secrets(found: StoredWebhook, now: int) -> tuple[str, ...]:
    """Return the secrets that sign: for a day after a rotation, the one before as well."""
    if found.previous_secret is not None and found.rotated_at is not None and now < found.rotated_at + ROTATION:
        return found.secret, found.previous_secret
    return (found.secret,)


def delivery(each: Attempt) -> Delivery:
    """Return an attempt as managers of the webhook see it."""
    return Delivery(
        at=timestamp(each.at),
        type=each.type,
        room=each.room,
        seq=each.seq,
        status=each.status,
        milliseconds=each.milliseconds,
        error=each.error,
    )


def _room(topic: str) -> int:
    return int(topic.removeprefix(ALL_ROOMS))


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp(milliseconds)
