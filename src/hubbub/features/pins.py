"""Pins: pin and unpin messages, and list the pinned ones."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import PinMessage, UnpinMessage
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import MessagePinned, MessageUnpinned
from hubbub.domain.model import Actor, Membership, room_topic
from hubbub.domain.text import MAX_PINS
from hubbub.storage import history, log, members, messages, pins
from hubbub.storage.messages import StoredMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def pin(command: PinMessage, actor: Actor, tx: Transaction) -> Answer:
    """Pin a message. Idempotent.

    Raises Conflict for a deleted message, and if MAX_PINS pinned messages are visible to the actor.
    """
    room, seq = command.room, command.message
    own, message = _get_message(command, actor, tx)
    if message.body is None:
        raise Conflict("This message was deleted.")
    if pins.is_pinned(tx.connection, room, seq):
        return {}
    if pins.count(tx.connection, history.view(own, room, actor.id)) >= MAX_PINS:
        raise Conflict(f"A room can have at most {MAX_PINS} pinned messages. Unpin one first.")
    entry = tx.append(MessagePinned(room=room, message=seq, by=actor.id, name=actor.name))
    pins.add(tx, room, seq, entry.seq, actor.id)
    return {"topic": entry.topic, "seq": entry.seq}


def unpin(command: UnpinMessage, actor: Actor, tx: Transaction) -> Answer:
    """Unpin a message. Idempotent."""
    room, seq = command.room, command.message
    _get_message(command, actor, tx)
    if not pins.delete_of(tx, room, seq):
        return {}
    entry = tx.append(MessageUnpinned(room=room, message=seq, by=actor.id, name=actor.name))
    return {"topic": entry.topic, "seq": entry.seq}


def listing(connection: Connection, user: int, room: int, before: int | None, limit: int) -> Answer:
    """Return a page of the pinned messages the user may read, newest first.

    Raises NotFound.
    """
    own = members.find(connection, room, user)
    if own is None:
        raise NotFound()
    found = pins.listing(connection, history.view(own, room, user), before, limit + 1)
    return {
        "pins": [pin.model_dump() | {"message": pin.message.on_the_wire()} for pin in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _get_message(command: PinMessage | UnpinMessage, actor: Actor, tx: Transaction) -> tuple[Membership, StoredMessage]:
    """Return the actor's membership and the message.

    Raises NotFound; Forbidden for non-moderators.
    """
    own = members.find(tx.connection, command.room, actor.id)
    if own is None:
        raise NotFound()
    message = messages.find(tx.connection, own, command.room, command.message)
    rules.may_change(own)
    rules.may_pin(actor, own)
    return own, message
