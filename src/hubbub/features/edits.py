"""Edits: say otherwise what one has said, take it back; and what messages said before."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import DeleteMessage, EditMessage
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import MessageDeleted, MessageEdited
from hubbub.domain.model import Actor, Membership, Mentions, room_topic
from hubbub.storage import edits, log, members, mentions, messages, pins, reactions
from hubbub.storage.mentions import MessagePlace, MessageText
from hubbub.storage.messages import StoredMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def edit(command: EditMessage, actor: Actor, tx: Transaction) -> Answer:
    """The words before are kept among the edits, and no entry of the log has them any more.

    Where newcomers do not read back the event goes without the text: it may be of before their time.
    """
    room, seq = command.room, command.message
    own, message = _said(room, seq, actor, tx)
    rules.may_change(own)
    rules.may_edit(actor, message.author, forwarded=message.forwarded is not None)
    if message.body is None:
        raise Conflict("This message is deleted.")
    if message.body == command.body:
        return {}
    log.redact(tx, room_topic(room), message.text_at(seq))
    edits.add(tx, room, seq, message.edited_at or message.at, message.body)
    before = _mentioned(message)
    said = MessageText(room, actor, command.body, command.online, before, message.body)
    after = mentions.resolve(tx, {seq: said}).get(seq)
    mentions.replace(tx, MessagePlace(room, seq, actor.id), before, after)
    told = command.body if own.history == "all" else None
    event = MessageEdited(room=room, message=seq, by=actor.id, body=told, mentions=after, mentioned=before)
    entry = tx.append(event)
    fresh = {"body": command.body, "mentions": None if after is None else after.model_dump_json(exclude_none=True)}
    messages.change(tx, room, seq, **fresh, edited_at=tx.now, text_seq=0 if told is None else entry.seq)
    return {"topic": entry.topic, "seq": entry.seq}


def delete(command: DeleteMessage, actor: Actor, tx: Transaction) -> Answer:
    """What is left is that there was a message: its place, its author, its key, what it answered.

    In an archived room too: what should not be read must not stay for that.
    """
    room, seq = command.room, command.message
    own, message = _said(room, seq, actor, tx)
    rules.may_delete(actor, own, message.author)
    if message.body is None:
        return {}
    log.redact(tx, room_topic(room), message.text_at(seq))
    mentioned = _mentioned(message)
    mentions.delete_of(tx, room, seq, mentioned)
    for noun in (edits, pins, reactions):
        noun.delete_of(tx, room, seq)
    entry = tx.append(MessageDeleted(room=room, message=seq, by=actor.id, author=message.author, mentioned=mentioned))
    gone = {"body": None, "forwarded": None, "mentions": None, "edited_at": None}
    messages.change(tx, room, seq, **gone, deleted_at=tx.now, text_seq=0)
    return {"topic": entry.topic, "seq": entry.seq}


def listing(connection: Connection, actor: Actor, place: tuple[int, int], after: int, limit: int) -> Answer:
    """A page of what the message (room, seq) said before, oldest first; nothing of a deleted one.

    Raises NotFound, Forbidden.
    """
    room, seq = place
    own = members.find(connection, room, actor.id)
    message = messages.find(connection, own, room, seq)
    assert own is not None, "whoever finds a message is a member"
    rules.may_read_edits(actor, own, message.author)
    found = edits.listing(connection, room, seq, after, limit + 1)
    return {
        "edits": [revision.model_dump() for revision in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _mentioned(message: StoredMessage) -> Mentions | None:
    """Whom it calls as it is."""
    return None if message.mentions is None else Mentions.model_validate_json(message.mentions)


def _said(room: int, seq: int, actor: Actor, tx: Transaction) -> tuple[Membership, StoredMessage]:
    """A message that is to be changed. Raises NotFound."""
    own = members.find(tx.connection, room, actor.id)
    if own is None:
        raise NotFound()
    return own, messages.find(tx.connection, own, room, seq)
