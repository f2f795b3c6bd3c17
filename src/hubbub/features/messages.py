"""Messages: a run of sends decided at once, and pages of history."""

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection

from hubbub.domain.commands import MessagePage, SendMessage
from hubbub.domain.errors import BadRequest, Conflict, HubbubError, NotFound
from hubbub.domain.events import MessageSent
from hubbub.domain.model import Actor, Message, room_topic
from hubbub.storage import history, log, members, messages
from hubbub.storage.history import View
from hubbub.storage.messages import NewMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def send(run: Sequence[tuple[SendMessage, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Decides a whole run: duplicates are dropped, also within the run, before any seq is given.

    Same key and same body: the original seq, whatever happened to the right to send since. Other body: Conflict.
    """
    facts = messages.facts(tx, [(command.room, actor.id, command.key) for command, actor in run])
    done: list[Answer | HubbubError] = []
    new: list[NewMessage] = []
    first: dict[tuple[int, int, str], tuple[str, int]] = {}
    for (command, actor), fact in zip(run, facts, strict=True):
        digest = sha256(command.body.encode()).hexdigest()
        known = (fact.hash, fact.seq) if fact.hash is not None else first.get((command.room, actor.id, command.key))
        if known is not None:
            done.append(_again(command, known, digest))
        elif not fact.allowed:
            done.append(NotFound())
        else:
            message = _place(command, actor, digest, tx)
            new.append(message)
            first[command.room, actor.id, command.key] = (digest, message.seq)
            done.append({"topic": room_topic(command.room), "seq": message.seq})
    if new:
        messages.insert_all(tx, new)
    return done


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


def _seen(connection: Connection, user: int, room: int) -> View:
    own = members.find(connection, room, user)
    if own is None:
        raise NotFound()
    return history.view(own, room, user)


def _again(command: SendMessage, known: tuple[str | None, int | None], digest: str) -> Answer | HubbubError:
    first, seq = known
    if first is None or not compare_digest(first, digest):
        return Conflict("That key was used for another message.")
    return {"topic": room_topic(command.room), "seq": seq}


def _place(command: SendMessage, actor: Actor, digest: str, tx: Transaction) -> NewMessage:
    head = tx.head(room_topic(command.room))
    head.n += 1
    event = MessageSent(room=command.room, by=actor.id, name=actor.name, n=head.n, key=command.key, body=command.body)
    entry = tx.append(event)
    return NewMessage(
        tx.ids.next(), command.room, entry.seq, head.n, tx.now, actor.id, command.key, digest, command.body
    )


def _window(connection: Connection, seen: View, query: MessagePage) -> tuple[list[Any], dict[str, bool]]:
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
