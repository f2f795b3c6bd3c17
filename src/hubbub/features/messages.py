"""Messages: send in runs, forward, and read pages of history."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from hubbub.domain.commands import ForwardMessage, MessagePage, SendMessage
from hubbub.domain.errors import BadRequest, Conflict, HubbubError, NotFound
from hubbub.domain.events import MessageSent
from hubbub.domain.mentions import may_mention
from hubbub.domain.model import Actor, Forwarded, Mentions, Position, Wire, room_topic
from hubbub.domain.text import MAX_ID, timestamp
from hubbub.features.shared import pages
from hubbub.features.shared.access import get_membership, get_message
from hubbub.features.shared.guard import Request, posted_before
from hubbub.features.shared.handlers import handles, handles_run
from hubbub.features.shared.mentions import MessageText, resolve, with_author
from hubbub.storage import accounts, history, log, mentions, messages, rooms
from hubbub.storage.history import HistoryRow, RoomView, WireMessage
from hubbub.storage.mentions import MessagePlace
from hubbub.storage.messages import NewMessage, StoredMessage
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


@handles_run(SendMessage)
def send(run: Sequence[Request[SendMessage]], tx: Transaction) -> list[Position | HubbubError]:
    """Send a run of messages. Duplicates within the run get no seq of their own.

    A reply mentions the author of the message it answers.
    """
    replied_to = [(r.command.room, r.command.reply_to) for r in run if r.command.reply_to is not None]
    repliable = messages.repliable(tx, replied_to) if replied_to else {}
    mentioned = resolve(tx, _texts(run))
    results: list[Position | HubbubError] = []
    new: list[NewMessage] = []
    new_mentions: list[tuple[MessagePlace, Mentions]] = []
    sent: dict[tuple[int, int, str], tuple[int, int]] = {}
    for index, request in enumerate(run):
        command, actor = request.command, request.actor
        key = (command.room, actor.id, command.key)
        reply_to = command.reply_to
        if key in sent:
            results.append(posted_before(command, sent[key]))
        elif reply_to is not None and (reply_to < request.own.sees_from or (command.room, reply_to) not in repliable):
            results.append(NotFound("The message you are replying to was not found."))
        else:
            digest = command.digest()
            found = mentioned.get(index)
            if reply_to is not None:
                found = with_author(found, repliable[command.room, reply_to], actor)
            message = _append(command, actor, digest, tx, command.body, mentioned=found)
            new.append(message)
            if found is not None:
                new_mentions.append((MessagePlace(message.room, message.seq, message.author), found))
            sent[key] = (digest, message.seq)
            results.append({"topic": room_topic(command.room), "seq": message.seq})
    if new:
        messages.insert_all(tx, new)
        mentions.store_all(tx, new_mentions)
    return results


@handles(ForwardMessage)
def forward(request: Request[ForwardMessage], tx: Transaction) -> Position:
    """Copy a message with its current text, under the locks of both rooms.

    The copy mentions no users. It stays when the original is deleted.
    """
    command, actor = request.command, request.actor
    _, source = get_message(tx.connection, actor.id, command.from_room, command.message)
    if source.body is None:
        raise Conflict("This message was deleted.")
    origin = _origin(command, source, actor, tx)
    message = _append(command, actor, command.digest(), tx, source.body, forwarded=origin)
    messages.insert_all(tx, [message])
    return {"topic": room_topic(command.room), "seq": message.seq}


def page(connection: Connection, user: int, query: MessagePage) -> Answer:
    """Return a page of a room's messages, ascending, with quotes and the head.

    It ends by number or by bytes. Raises NotFound if the user is not a member.
    """
    if sum(position is not None for position in (query.before, query.after, query.around)) > 1:
        raise BadRequest("Give only one of before, after and around.")
    view = _view(connection, user, query.room)
    rows, more = _window(connection, view, query)
    found, quotes = history.with_quotes(connection, view, rows)
    if len(found) > 1:
        found, quotes = _shorten(found, quotes, more, query)
    return {
        "messages": found,
        "quotes": quotes,
        "more": more,
        "heads": log.heads(connection, [room_topic(query.room)]),
    }


def _shorten(
    found: list[WireMessage], quotes: list[WireMessage], more: dict[str, bool], query: MessagePage
) -> tuple[list[WireMessage], list[WireMessage]]:
    """Return the part of a page, around the place it was asked for, that fits into a page's bytes."""
    anchor = len(found) - 1
    if query.after is not None:
        anchor = 0
    elif (near := query.around) is not None:
        anchor = min(anchor, sum(message["seq"] < near for message in found))
    part = pages.around(found, {quote["seq"]: quote for quote in quotes}, anchor)
    kept = found[part]
    if len(kept) == len(found):
        return found, quotes
    more["before"] = more["before"] or part.start > 0
    more["after"] = more["after"] or part.stop < len(found)
    replied = {message.get("reply_to") for message in kept}
    return kept, [quote for quote in quotes if quote["seq"] in replied]


def one(connection: Connection, user: int, room: int, seq: int) -> Answer:
    """Return one message, with the message it quotes. Raises NotFound."""
    view = _view(connection, user, room)
    (found, quotes) = history.with_quotes(connection, view, history.some(connection, view, [seq]))
    if not found:
        raise NotFound()
    return {
        "message": found[0],
        "quotes": quotes,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _view(connection: Connection, user: int, room: int) -> RoomView:
    """Return what the user may read of the room.

    Raises NotFound if the user is not a member.
    """
    return history.view(get_membership(connection, user, room), room, user)


def _texts(run: Sequence[Request[SendMessage]]) -> dict[int, MessageText]:
    """Return the texts that may contain mentions, by their index in the run."""
    return {
        index: MessageText(command.room, request.actor, command.body, command.online, elsewhere=command.elsewhere)
        for index, request in enumerate(run)
        if may_mention((command := request.command).body)
    }


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
    command: SendMessage | ForwardMessage,
    actor: Actor,
    digest: int,
    tx: Transaction,
    body: str,
    *,
    forwarded: Forwarded | None = None,
    mentioned: Mentions | None = None,
) -> NewMessage:
    """Append the event of a new message, and return the row to insert."""
    room = command.room
    head = tx.head(room_topic(room))
    head.n += 1
    reply_to = command.reply_to if isinstance(command, SendMessage) else None
    optional: dict[str, Any] = {}  # most messages have none of these, and None costs time to validate
    if actor.bot:
        optional["bot"] = True
    if reply_to is not None:
        optional["reply_to"] = reply_to
    if forwarded is not None:
        optional["forwarded"] = forwarded
    if mentioned is not None:
        optional["mentions"] = mentioned
    event = MessageSent(room=room, by=actor.id, name=actor.name, n=head.n, key=command.key, body=body, **optional)
    entry = tx.append(event)
    return NewMessage(
        tx.row, room, entry.seq, head.n, actor.id, command.key, digest, body,
        reply_to, _json(forwarded), _json(mentioned),
    )  # fmt: skip


def _json(model: Wire | None) -> str | None:
    return None if model is None else model.model_dump_json(exclude_none=True)


def _window(connection: Connection, view: RoomView, query: MessagePage) -> tuple[list[HistoryRow], dict[str, bool]]:
    """Return the rows of a page, and whether there are more before and after it.

    Each side reads one message more than it returns, which tells whether there are more.
    """
    limit = query.limit
    if query.after is not None:
        found = history.after(connection, view, query.after, limit + 1)
        earlier = history.any_between(connection, view, 0, query.after)
        return found[:limit], {"before": earlier, "after": len(found) > limit}
    if query.around is not None:
        half = limit // 2
        older = history.before(connection, view, query.around, half + 1)
        newer = history.after(connection, view, query.around - 1, limit - half + 1)
        more = {"before": len(older) > half, "after": len(newer) > limit - half}
        return older[len(older) - min(half, len(older)) :] + newer[: limit - half], more
    found = history.before(connection, view, query.before, limit + 1)
    later = query.before is not None and history.any_between(connection, view, query.before, MAX_ID)
    return found[-limit:], {"before": len(found) > limit, "after": later}
