"""Messages: send in bulk, forward, and read pages of history."""

from collections.abc import Container, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import ForwardMessage, MessagePage, SendMessage
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.events import MessageSent
from hubbub.domain.mentions import may_mention
from hubbub.domain.model import Actor, Forwarded, Mentions, Message, Wire, room_topic
from hubbub.domain.text import timestamp
from hubbub.storage import accounts, history, log, members, mentions, messages, rooms
from hubbub.storage.history import RoomView
from hubbub.storage.mentions import MessagePlace, MessageText
from hubbub.storage.messages import NewMessage, SendFacts, StoredMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def send(run: Sequence[tuple[SendMessage, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Send a run of messages.

    Duplicates, also within the run, get no seq of their own. A known key with the same text gets
    the original seq, even if the right to send has gone since. A known key with another text is a
    Conflict.
    """
    facts = messages.facts(tx, [(command.room, actor.id, command.key) for command, actor in run])
    replied_to = [(command.room, command.reply_to) for command, _ in run if command.reply_to is not None]
    existing = messages.existing(tx, replied_to) if replied_to else set()
    mentioned = mentions.resolve(tx, _texts(run))
    answers: list[Answer | HubbubError] = []
    new: list[NewMessage] = []
    new_mentions: list[tuple[MessagePlace, Mentions]] = []
    sent: dict[tuple[int, int, str], tuple[str, int]] = {}
    for index, ((command, actor), fact) in enumerate(zip(run, facts, strict=True)):
        digest = _digest(command)
        known = (fact.hash, fact.seq) if fact.hash is not None else sent.get((command.room, actor.id, command.key))
        error = _key_conflict(known, digest) if known is not None else _refusal(command, fact, existing)
        if error is not None:
            answers.append(error)
        elif known is not None:
            answers.append({"topic": room_topic(command.room), "seq": known[1]})
        else:
            message = _append(command, actor, digest, tx, mentioned=mentioned.get(index))
            new.append(message)
            if index in mentioned:
                new_mentions.append((MessagePlace(message.room, message.seq, message.author), mentioned[index]))
            sent[command.room, actor.id, command.key] = (digest, message.seq)
            answers.append({"topic": room_topic(command.room), "seq": message.seq})
    if new:
        messages.insert_all(tx, new)
        mentions.store_all(tx, new_mentions)
    return answers


def forward(command: ForwardMessage, actor: Actor, tx: Transaction) -> Answer:
    """Copy a message with its current text, under the locks of both rooms.

    The copy mentions no users. It stays when the original is deleted.
    """
    digest = sha256(f"\0forward {command.from_room} {command.message}".encode()).hexdigest()
    (fact,) = messages.facts(tx, [(command.room, actor.id, command.key)])
    known = (fact.hash, fact.seq) if fact.hash is not None else None
    error = _key_conflict(known, digest) if known is not None else _refusal(command, fact, ())
    if error is not None:
        raise error
    if known is not None:
        return {"topic": room_topic(command.room), "seq": known[1]}
    own = members.find(tx.connection, command.from_room, actor.id)
    source = messages.find(tx.connection, own, command.from_room, command.message)
    if source.body is None:
        raise Conflict("This message was deleted.")
    copy = SendMessage(room=command.room, key=command.key, body=source.body)
    message = _append(copy, actor, digest, tx, forwarded=_origin(command, source, actor, tx))
    messages.insert_all(tx, [message])
    return {"topic": room_topic(command.room), "seq": message.seq}


def page(connection: Connection, user: int, query: MessagePage) -> Answer:
    """Return a page of a room's messages, ascending, with quotes and the head.

    Raises NotFound if the user is not a member.
    """
    if sum(position is not None for position in (query.before, query.after, query.around)) > 1:
        raise BadRequest("Give only one of before, after and around.")
    view = _view(connection, user, query.room)
    rows, more = _window(connection, view, query)
    found = history.models(connection, view, rows)
    return {
        "messages": _dump(found),
        "quotes": _dump(history.quotes(connection, view, found)),
        "more": more,
        "heads": log.heads(connection, [room_topic(query.room)]),
    }


def one(connection: Connection, user: int, room: int, seq: int) -> Answer:
    """Return one message, with the message it quotes. Raises NotFound."""
    view = _view(connection, user, room)
    found = history.some(connection, view, [seq])
    if not found:
        raise NotFound()
    return {
        "message": _dump(found)[0],
        "quotes": _dump(history.quotes(connection, view, found)),
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _view(connection: Connection, user: int, room: int) -> RoomView:
    """Return what the user may read of the room.

    Raises NotFound if the user is not a member.
    """
    own = members.find(connection, room, user)
    if own is None:
        raise NotFound()
    return history.view(own, room, user)


def _texts(run: Sequence[tuple[SendMessage, Actor]]) -> dict[int, MessageText]:
    """Return the texts that may contain mentions, by their index in the run."""
    return {
        index: MessageText(command.room, actor, command.body, command.online)
        for index, (command, actor) in enumerate(run)
        if may_mention(command.body)
    }


def _digest(command: SendMessage) -> str:
    """Return a digest of what a key stands for: the text and `reply_to`.

    A text never contains U+0000, so that no other command has the same input.
    """
    reply = "" if command.reply_to is None else f"\0reply {command.reply_to}"
    return sha256(f"{command.body}{reply}".encode()).hexdigest()


def _key_conflict(known: tuple[str | None, int | None], digest: str) -> HubbubError | None:
    """Return the error if the key was used for another message."""
    known_digest, _ = known
    if known_digest is None or not compare_digest(known_digest, digest):
        return Conflict("That key was used for another message.")
    return None


def _refusal(
    command: SendMessage | ForwardMessage, fact: SendFacts, existing: Container[tuple[int, int]]
) -> HubbubError | None:
    """Return the error if a new message may not be sent.

    `existing` are the (room, seq) of messages that exist, among those the run replies to.
    """
    if not fact.allowed:
        return NotFound()
    if fact.archived:
        return Forbidden(rules.ARCHIVED)
    reply_to = command.reply_to if isinstance(command, SendMessage) else None
    if reply_to is not None and (reply_to < fact.sees_from or (command.room, reply_to) not in existing):
        return NotFound("The message you are replying to was not found.")
    return None


def _origin(command: ForwardMessage, source: StoredMessage, actor: Actor, tx: Transaction) -> Forwarded:
    """Return the original author and message of a copy.

    The original room is left out unless it is public or the same, because the readers of the copy
    may not know of it.
    """
    if source.forwarded is not None:
        origin = Forwarded.model_validate_json(source.forwarded)
        origin = origin.model_copy(update={"name": accounts.name_of(tx.connection, origin.by)})
    else:
        origin = Forwarded(
            by=source.author,
            name=source.name,
            at=timestamp(source.at),
            room=command.from_room,
            message=command.message,
        )
    if origin.room is None or origin.room == command.room:
        return origin
    room = rooms.find_visible(tx.connection, actor.id, origin.room)
    if room is not None and room.kind == "public":
        return origin
    return origin.model_copy(update={"room": None, "message": None})


def _append(
    command: SendMessage,
    actor: Actor,
    digest: str,
    tx: Transaction,
    *,
    forwarded: Forwarded | None = None,
    mentioned: Mentions | None = None,
) -> NewMessage:
    """Append the event of a new message, and return the row to insert."""
    room = command.room
    head = tx.head(room_topic(room))
    head.n += 1
    optional: dict[str, Any] = {}  # most messages have none of these, and None costs time to validate
    if command.reply_to is not None:
        optional["reply_to"] = command.reply_to
    if forwarded is not None:
        optional["forwarded"] = forwarded
    if mentioned is not None:
        optional["mentions"] = mentioned
    event = MessageSent(
        room=room, by=actor.id, name=actor.name, n=head.n, key=command.key, body=command.body, **optional
    )
    entry = tx.append(event)
    return NewMessage(
        tx.ids.next(), room, entry.seq, head.n, tx.now, actor.id, command.key, digest, command.body,
        command.reply_to, _json(forwarded), _json(mentioned),
    )  # fmt: skip


def _json(model: Wire | None) -> str | None:
    return None if model is None else model.model_dump_json(exclude_none=True)


def _window(connection: Connection, view: RoomView, query: MessagePage) -> tuple[list[Any], dict[str, bool]]:
    """Return the rows of a page, and whether there are more before and after it.

    Each side reads one message more than it returns, which tells whether there are more.
    """
    limit = query.limit
    if query.after is not None:
        found = history.after(connection, view, query.after, limit + 1)
        earlier = bool(history.before(connection, view, query.after + 1, 1))
        return found[:limit], {"before": earlier, "after": len(found) > limit}
    if query.around is not None:
        half = limit // 2
        older = history.before(connection, view, query.around, half + 1)
        newer = history.after(connection, view, query.around - 1, limit - half + 1)
        more = {"before": len(older) > half, "after": len(newer) > limit - half}
        return older[len(older) - min(half, len(older)) :] + newer[: limit - half], more
    found = history.before(connection, view, query.before, limit + 1)
    later = query.before is not None and bool(history.after(connection, view, query.before - 1, 1))
    return found[-limit:], {"before": len(found) > limit, "after": later}


def _dump(found: Sequence[Message]) -> list[dict[str, object]]:
    return [message.on_the_wire() for message in found]
