"""Edits: edit and delete messages, and list the edit history."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import DeleteMessage, EditMessage
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import MessageDeleted, MessageEdited
from hubbub.domain.model import Actor, Membership, Mentions, room_topic
from hubbub.storage import edits, log, members, mentions, messages
from hubbub.storage.mentions import MessagePlace, MessageText
from hubbub.storage.messages import StoredMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def edit(command: EditMessage, actor: Actor, tx: Transaction) -> Answer:
    """Edit a message.

    The edit history keeps the former text; the log's entries no longer have it. In rooms whose new
    members cannot read older messages, the event has no text, because the message may be older than
    their membership.
    """
    room, seq = command.room, command.message
    own, message = _get_message(room, seq, actor, tx)
    rules.may_change(own)
    rules.may_edit(actor, message.author, forwarded=message.forwarded is not None)
    if message.body is None:
        raise Conflict("This message was deleted.")
    if message.body == command.body:
        return {}
    log.redact(tx, room_topic(room), message.text_at(seq))
    edits.add(tx, room, seq, message.edited_at or message.at, message.body)
    before = _mentioned(message)
    text = MessageText(room, actor, command.body, command.online, before, message.body)
    after = mentions.resolve(tx, {seq: text}).get(seq)
    mentions.replace(tx, MessagePlace(room, seq, actor.id), before, after)
    event_body = command.body if own.history == "all" else None
    event = MessageEdited(room=room, message=seq, by=actor.id, body=event_body, mentions=after, mentioned=before)
    entry = tx.append(event)
    messages.change(
        tx,
        room,
        seq,
        body=command.body,
        mentions=None if after is None else after.model_dump_json(exclude_none=True),
        edited_at=tx.now,
        text_seq=0 if event_body is None else entry.seq,
    )
    return {"topic": entry.topic, "seq": entry.seq}


def delete(command: DeleteMessage, actor: Actor, tx: Transaction) -> Answer:
    """Delete a message.

    Its position, author, key and the message it replied to remain. Allowed in archived rooms, too:
    an archive must not keep text that has to go.
    """
    room, seq = command.room, command.message
    own, message = _get_message(room, seq, actor, tx)
    rules.may_delete(actor, own, message.author)
    if message.body is None:
        return {}
    log.redact(tx, room_topic(room), message.text_at(seq))
    mentioned = _mentioned(message)
    entry = tx.append(MessageDeleted(room=room, message=seq, by=actor.id, author=message.author, mentioned=mentioned))
    messages.erase(tx, room, seq, mentioned)
    return {"topic": entry.topic, "seq": entry.seq}


def listing(connection: Connection, actor: Actor, place: tuple[int, int], after: int, limit: int) -> Answer:
    """Return a page of the edits of the message `place` = (room, seq), oldest first.

    A deleted message has none. Raises NotFound, Forbidden.
    """
    room, seq = place
    own = members.find(connection, room, actor.id)
    message = messages.find(connection, own, room, seq)
    assert own is not None, "messages.find raises NotFound for non-members"
    rules.may_read_edits(actor, own, message.author)
    found = edits.listing(connection, room, seq, after, limit + 1)
    return {
        "edits": [revision.model_dump() for revision in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _mentioned(message: StoredMessage) -> Mentions | None:
    """Return the mentions of a stored message."""
    return None if message.mentions is None else Mentions.model_validate_json(message.mentions)


def _get_message(room: int, seq: int, actor: Actor, tx: Transaction) -> tuple[Membership, StoredMessage]:
    """Return the actor's membership and a message of the room. Raises NotFound."""
    own = members.find(tx.connection, room, actor.id)
    if own is None:
        raise NotFound()
    return own, messages.find(tx.connection, own, room, seq)
