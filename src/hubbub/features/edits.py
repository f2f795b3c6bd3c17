"""Edits: edit and delete messages, and list the edit history."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import DeleteMessage, EditMessage
from hubbub.domain.errors import Conflict
from hubbub.domain.events import MessageDeleted, MessageEdited
from hubbub.domain.model import Actor, MaybePosition, Mentions, room_topic
from hubbub.features.shared import search_index
from hubbub.features.shared.access import get_message
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.mentions import MessageText, resolve, with_author
from hubbub.features.shared.pages import fitting
from hubbub.storage import edits, log, mentions, messages
from hubbub.storage.mentions import MessagePlace
from hubbub.storage.messages import StoredMessage
from hubbub.storage.transaction import Transaction


@handles(EditMessage)
def edit(request: Request[EditMessage], tx: Transaction) -> MaybePosition:
    """Edit a message.

    An edited reply goes on mentioning the author it answers. The edit history keeps the former
    text. In rooms in which new members cannot read older messages, the event has no text, because
    the message may be older than their membership.
    """
    command, actor, message = request.command, request.actor, request.message
    room, seq = command.room, command.message
    rules.may_edit(actor, message.author, forwarded=message.forwarded is not None)
    if message.body is None:
        raise Conflict("This message was deleted.")
    if message.body == command.body:
        return {}
    edits.add(tx, room, seq, message.edited_at or message.at, message.body)
    before = _mentioned(message)
    text = MessageText(room, actor, command.body, command.online, before, message.body, command.elsewhere)
    after = resolve(tx, {seq: text}).get(seq)
    if message.reply_to is not None and before is not None:
        author = messages.repliable(tx, [(room, message.reply_to)]).get((room, message.reply_to))
        after = with_author(after, author, actor) if author in before.users else after
    mentions.replace(tx, MessagePlace(room, seq, actor.id), before, after)
    event_body = command.body if request.own.history == "all" else None
    event = MessageEdited(room=room, message=seq, by=actor.id, body=event_body, mentions=after, mentioned=before)
    entry = tx.append(event)
    now = None if after is None else after.model_dump_json(exclude_none=True)
    messages.edit(tx, room, seq, message, command.body, now)
    search_index.update(tx, room, seq)
    return entry.maybe_position()


@handles(DeleteMessage)
def delete(request: Request[DeleteMessage], tx: Transaction) -> MaybePosition:
    """Delete a message.

    Its position, author, key and the message it replied to remain. Allowed in archived rooms, too:
    an archive must not keep text that has to go.
    """
    actor, message = request.actor, request.message
    room, seq = request.command.room, request.command.message
    rules.may_delete(actor, request.own, message.author)
    if message.body is None:
        return {}
    mentioned = _mentioned(message)
    entry = tx.append(MessageDeleted(room=room, message=seq, by=actor.id, author=message.author, mentioned=mentioned))
    messages.erase(tx, room, seq, message, mentioned)
    search_index.update(tx, room, seq)
    return entry.maybe_position()


def listing(connection: Connection, actor: Actor, place: tuple[int, int], after: int, limit: int) -> dict[str, object]:
    """Return a page of the edits of the message `place` = (room, seq), oldest first.

    A deleted message has none. Raises NotFound, Forbidden.
    """
    room, seq = place
    own, message = get_message(connection, actor.id, room, seq)
    rules.may_read_edits(actor, own, message.author)
    found = edits.listing(connection, room, seq, after, limit + 1)
    revisions = [revision.model_dump() for revision in found[:limit]]
    shown = fitting(revisions)
    return {
        "edits": revisions[:shown],
        "more": len(found) > shown,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _mentioned(message: StoredMessage) -> Mentions | None:
    """Return the mentions of a stored message."""
    return None if message.mentions is None else Mentions.model_validate_json(message.mentions)
