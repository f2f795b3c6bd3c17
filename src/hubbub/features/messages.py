"""Messages: a run of sends decided at once, and pages of history."""

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Connection

from hubbub.domain.commands import MessagePage, SendMessage
from hubbub.domain.errors import BadRequest, Conflict, HubbubError, NotFound
from hubbub.domain.events import MessageSent
from hubbub.domain.model import Actor, Message, room_topic
from hubbub.storage import log, members, messages
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


def page(connection: Connection, user: int, query: MessagePage) -> dict[str, object]:
    """A page of a room the person is a member of, ascending, with the head it was read at. Raises NotFound."""
    if sum(given is not None for given in (query.before, query.after, query.around)) > 1:
        raise BadRequest("Give only one of before, after and around.")
    if members.find(connection, query.room, user) is None:
        raise NotFound()
    found, more = _window(connection, query)
    topic = room_topic(query.room)
    return {
        "messages": [message.model_dump() for message in found],
        "more": more,
        "heads": log.heads(connection, [topic]),
    }


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


def _window(connection: Connection, query: MessagePage) -> tuple[list[Message], dict[str, bool]]:
    """One message more than asked for on each side tells whether there is more there."""
    room, limit = query.room, query.limit
    if query.after is not None:
        found = messages.after(connection, room, query.after, limit + 1)
        earlier = bool(messages.before(connection, room, query.after + 1, 1))
        return found[:limit], {"before": earlier, "after": len(found) > limit}
    if query.around is not None:
        half = limit // 2
        older = messages.before(connection, room, query.around, half + 1)
        newer = messages.after(connection, room, query.around - 1, limit - half + 1)
        more = {"before": len(older) > half, "after": len(newer) > limit - half}
        return older[len(older) - min(half, len(older)) :] + newer[: limit - half], more
    found = messages.before(connection, room, query.before, limit + 1)
    later = query.before is not None and bool(messages.after(connection, room, query.before - 1, 1))
    return found[-limit:], {"before": len(found) > limit, "after": later}
