"""Messages: a run of sends decided at once, forwards, and pages of history."""

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
    """Decides a whole run: duplicates are dropped, also within the run, before any seq is given.

    Same key and same words: the original seq, whatever happened to the right to send since. Other words: Conflict.
    """
    facts = messages.facts(tx, [(command.room, actor.id, command.key) for command, actor in run])
    answered = [(command.room, command.reply_to) for command, _ in run if command.reply_to is not None]
    there = messages.existing(tx, answered) if answered else set()
    called = mentions.resolve(tx, _texts(run))
    done: list[Answer | HubbubError] = []
    new: list[NewMessage] = []
    calls: list[tuple[MessagePlace, Mentions]] = []
    first: dict[tuple[int, int, str], tuple[str, int]] = {}
    for index, ((command, actor), fact) in enumerate(zip(run, facts, strict=True)):
        digest = _digest(command)
        known = (fact.hash, fact.seq) if fact.hash is not None else first.get((command.room, actor.id, command.key))
        refusal = _again(known, digest) if known is not None else _refusal(command, fact, there)
        if refusal is not None:
            done.append(refusal)
        elif known is not None:
            done.append({"topic": room_topic(command.room), "seq": known[1]})
        else:
            message = _place(command, actor, digest, tx, called=called.get(index))
            new.append(message)
            if index in called:
                calls.append((MessagePlace(message.room, message.seq, message.author), called[index]))
            first[command.room, actor.id, command.key] = (digest, message.seq)
            done.append({"topic": room_topic(command.room), "seq": message.seq})
    if new:
        messages.insert_all(tx, new)
        mentions.store_all(tx, calls)
    return done


def forward(command: ForwardMessage, actor: Actor, tx: Transaction) -> Answer:
    """The words as they are now, under the locks of both rooms. They call nobody, and stay when the source is gone."""
    digest = sha256(f"\0forward {command.from_room} {command.message}".encode()).hexdigest()
    (fact,) = messages.facts(tx, [(command.room, actor.id, command.key)])
    known = (fact.hash, fact.seq) if fact.hash is not None else None
    refusal = _again(known, digest) if known is not None else _refusal(command, fact, ())
    if refusal is not None:
        raise refusal
    if known is not None:
        return {"topic": room_topic(command.room), "seq": known[1]}
    own = members.find(tx.connection, command.from_room, actor.id)
    source = messages.find(tx.connection, own, command.from_room, command.message)
    if source.body is None:
        raise Conflict("This message is deleted.")
    words = SendMessage(room=command.room, key=command.key, body=source.body)
    message = _place(words, actor, digest, tx, forwarded=_origin(command, source, actor, tx))
    messages.insert_all(tx, [message])
    return {"topic": room_topic(command.room), "seq": message.seq}


def page(connection: Connection, user: int, query: MessagePage) -> Answer:
    """A page of a room the person is a member of, ascending, with what it quotes, and the head it was read at.

    Raises NotFound.
    """
    if sum(given is not None for given in (query.before, query.after, query.around)) > 1:
        raise BadRequest("Give only one of before, after and around.")
    seen = _seen(connection, user, query.room)
    rows, more = _window(connection, seen, query)
    found = history.models(connection, seen, rows)
    return {
        "messages": _dump(found),
        "quotes": _dump(history.quotes(connection, seen, found)),
        "more": more,
        "heads": log.heads(connection, [room_topic(query.room)]),
    }


def one(connection: Connection, user: int, room: int, seq: int) -> Answer:
    """One message, with what it quotes. Raises NotFound."""
    seen = _seen(connection, user, room)
    found = history.some(connection, seen, [seq])
    if not found:
        raise NotFound()
    return {
        "message": _dump(found)[0],
        "quotes": _dump(history.quotes(connection, seen, found)),
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _seen(connection: Connection, user: int, room: int) -> RoomView:
    own = members.find(connection, room, user)
    if own is None:
        raise NotFound()
    return history.view(own, room, user)


def _texts(run: Sequence[tuple[SendMessage, Actor]]) -> dict[int, MessageText]:
    """Those that may call somebody, by their place in the run."""
    return {
        index: MessageText(command.room, actor, command.body, command.online)
        for index, (command, actor) in enumerate(run)
        if may_mention(command.body)
    }


def _digest(command: SendMessage) -> str:
    """What a key stands for: the words, and what they answer. No text has U+0000 in it, so nothing else looks so."""
    replied = "" if command.reply_to is None else f"\0reply {command.reply_to}"
    return sha256(f"{command.body}{replied}".encode()).hexdigest()


def _again(known: tuple[str | None, int | None], digest: str) -> HubbubError | None:
    """The refusal of a key that was used for something else."""
    first, _ = known
    if first is None or not compare_digest(first, digest):
        return Conflict("That key was used for another message.")
    return None


def _refusal(
    command: SendMessage | ForwardMessage, fact: SendFacts, there: Container[tuple[int, int]]
) -> HubbubError | None:
    """Why a new message may not be said; `there` are the messages that are answered and exist."""
    if not fact.allowed:
        return NotFound()
    if fact.archived:
        return Forbidden(rules.ARCHIVED)
    replied = command.reply_to if isinstance(command, SendMessage) else None
    if replied is not None and (replied < fact.sees_from or (command.room, replied) not in there):
        return NotFound("There is no such message to reply to.")
    return None


def _origin(command: ForwardMessage, source: StoredMessage, actor: Actor, tx: Transaction) -> Forwarded:
    """Who said it first; where, only if everybody may know of that room or is in it."""
    if source.forwarded is not None:
        first = Forwarded.model_validate_json(source.forwarded)
        first = first.model_copy(update={"name": accounts.name_of(tx.connection, first.by)})
    else:
        place = {"room": command.from_room, "message": command.message}
        first = Forwarded(by=source.author, name=source.name, at=timestamp(source.at), **place)
    if first.room is None or first.room == command.room:
        return first
    room = rooms.find_visible(tx.connection, actor.id, first.room)
    if room is not None and room.kind == "public":
        return first
    return first.model_copy(update={"room": None, "message": None})


def _place(
    words: SendMessage,
    actor: Actor,
    digest: str,
    tx: Transaction,
    *,
    forwarded: Forwarded | None = None,
    called: Mentions | None = None,
) -> NewMessage:
    room = words.room
    head = tx.head(room_topic(room))
    head.n += 1
    more: dict[str, Any] = {}  # most messages are nothing but words, and what is absent costs time to validate
    if words.reply_to is not None:
        more["reply_to"] = words.reply_to
    if forwarded is not None:
        more["forwarded"] = forwarded
    if called is not None:
        more["mentions"] = called
    event = MessageSent(room=room, by=actor.id, name=actor.name, n=head.n, key=words.key, body=words.body, **more)
    entry = tx.append(event)
    return NewMessage(
        tx.ids.next(), room, entry.seq, head.n, tx.now, actor.id, words.key, digest, words.body,
        words.reply_to, _json(forwarded), _json(called),
    )  # fmt: skip


def _json(model: Wire | None) -> str | None:
    return None if model is None else model.model_dump_json(exclude_none=True)


def _window(connection: Connection, seen: RoomView, query: MessagePage) -> tuple[list[Any], dict[str, bool]]:
    """One message more than asked for on each side tells whether there is more there."""
    limit = query.limit
    if query.after is not None:
        found = history.after(connection, seen, query.after, limit + 1)
        earlier = bool(history.before(connection, seen, query.after + 1, 1))
        return found[:limit], {"before": earlier, "after": len(found) > limit}
    if query.around is not None:
        half = limit // 2
        older = history.before(connection, seen, query.around, half + 1)
        newer = history.after(connection, seen, query.around - 1, limit - half + 1)
        more = {"before": len(older) > half, "after": len(newer) > limit - half}
        return older[len(older) - min(half, len(older)) :] + newer[: limit - half], more
    found = history.before(connection, seen, query.before, limit + 1)
    later = query.before is not None and bool(history.after(connection, seen, query.before - 1, 1))
    return found[-limit:], {"before": len(found) > limit, "after": later}


def _dump(found: Sequence[Message]) -> list[dict[str, object]]:
    return [message.on_the_wire() for message in found]
