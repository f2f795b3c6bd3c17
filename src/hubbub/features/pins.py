"""Pins: pin and unpin messages, and list the pinned ones."""

from sqlalchemy import Connection

from hubbub.domain.commands import PinMessage, UnpinMessage
from hubbub.domain.errors import Conflict
from hubbub.domain.events import MessagePinned, MessageUnpinned
from hubbub.domain.model import MaybePosition, room_topic
from hubbub.domain.text import MAX_PINS
from hubbub.features.shared.access import get_membership
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.pages import fitting
from hubbub.storage import history, log, pins
from hubbub.storage.transaction import Transaction


@handles(PinMessage)
def pin(request: Request[PinMessage], tx: Transaction) -> MaybePosition:
    """Pin a message. Idempotent.

    Raises Conflict for a deleted message, and if MAX_PINS pinned messages are visible to the actor.
    """
    room, seq, actor = request.command.room, request.command.message, request.actor
    if request.message.body is None:
        raise Conflict("This message was deleted.")
    if pins.is_pinned(tx.connection, room, seq):
        return {}
    if pins.count(tx.connection, history.view(request.own, room, actor.id)) >= MAX_PINS:
        raise Conflict(f"A room can have at most {MAX_PINS} pinned messages. Unpin one first.")
    entry = tx.append(MessagePinned(room=room, message=seq, by=actor.id, name=actor.name))
    pins.add(tx, room, seq, entry.seq, actor.id)
    return entry.maybe_position()


@handles(UnpinMessage)
def unpin(request: Request[UnpinMessage], tx: Transaction) -> MaybePosition:
    """Unpin a message. Idempotent."""
    room, seq, actor = request.command.room, request.command.message, request.actor
    if not pins.delete_of(tx, room, seq):
        return {}
    return tx.append(MessageUnpinned(room=room, message=seq, by=actor.id, name=actor.name)).maybe_position()


def listing(connection: Connection, user: int, room: int, before: int | None, limit: int) -> dict[str, object]:
    """Return a page of the pinned messages the user may read, newest first.

    Raises NotFound.
    """
    own = get_membership(connection, user, room)
    found = pins.listing(connection, history.view(own, room, user), before, limit + 1)
    shown = fitting(found[:limit])
    return {
        "pins": found[:shown],
        "more": len(found) > shown,
        "heads": log.heads(connection, [room_topic(room)]),
    }
