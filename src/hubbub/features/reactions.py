"""Reactions: add and remove them in bulk, and list the reactions to a message."""

from collections.abc import Sequence

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import AddReaction, RemoveReaction
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.events import ReactionAdded, ReactionRemoved
from hubbub.domain.model import Actor, room_topic
from hubbub.domain.text import MAX_REACTIONS
from hubbub.storage import log, members, reactions, reads
from hubbub.storage.reactions import ReactionFacts, ReactionRequest
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def add(run: Sequence[tuple[AddReaction, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Add a run of reactions.

    Existing ones, also from earlier in the run, get an empty answer.
    """
    requests = _requests(run)
    facts = reactions.facts(tx, requests)
    emoji_by_message = reactions.emoji_at(tx, ((request.room, request.message) for request in requests))
    answers: list[Answer | HubbubError] = []
    new: dict[ReactionRequest, tuple[int, int]] = {}
    for (_, actor), request, fact in zip(run, requests, facts, strict=True):
        room, message, emoji = request.room, request.message, request.emoji
        error = _refusal(fact)
        first_seqs = emoji_by_message.setdefault((room, message), {})
        if error is not None:
            answers.append(error)
        elif fact.there or request in new:
            answers.append({})
        elif fact.deleted:
            answers.append(Conflict("This message was deleted."))
        elif emoji not in first_seqs and len(first_seqs) >= MAX_REACTIONS:
            answers.append(Conflict(f"A message can have at most {MAX_REACTIONS} different emoji."))
        else:
            entry = tx.append(ReactionAdded(room=room, message=message, by=actor.id, name=actor.name, emoji=emoji))
            new[request] = (entry.seq, first_seqs.setdefault(emoji, entry.seq))
            answers.append({"topic": entry.topic, "seq": entry.seq})
    if new:
        reactions.add_all(tx, [(*request, *seqs) for request, seqs in new.items()])
    return answers


def remove(run: Sequence[tuple[RemoveReaction, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Remove a run of reactions. Those that do not exist get an empty answer."""
    requests = _requests(run)
    answers: list[Answer | HubbubError] = []
    removed: set[ReactionRequest] = set()
    for (_, actor), request, fact in zip(run, requests, reactions.facts(tx, requests), strict=True):
        room, message, emoji = request.room, request.message, request.emoji
        error = _refusal(fact)
        if error is not None:
            answers.append(error)
        elif not fact.there or request in removed:
            answers.append({})
        else:
            entry = tx.append(ReactionRemoved(room=room, message=message, by=actor.id, name=actor.name, emoji=emoji))
            removed.add(request)
            answers.append({"topic": entry.topic, "seq": entry.seq})
    if removed:
        reactions.remove_all(tx, sorted(removed))
    return answers


def listing(connection: Connection, user: int, where: tuple[int, int], after: int, limit: int) -> Answer:
    """Return a page of the reactions to the message `where` = (room, seq).

    Raises NotFound if the user may not read the message.
    """
    room, seq = where
    own = members.find(connection, room, user)
    if own is None or seq < own.sees_from or reads.number_of(connection, room, seq) is None:
        raise NotFound()
    found = reactions.listing(connection, room, seq, after, limit + 1)
    return {
        "reactions": [reaction._asdict() for reaction in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _requests(run: Sequence[tuple[AddReaction | RemoveReaction, Actor]]) -> list[ReactionRequest]:
    return [ReactionRequest(command.room, command.message, command.emoji, actor.id) for command, actor in run]


def _refusal(fact: ReactionFacts) -> HubbubError | None:
    if fact.disabled:
        return Forbidden("This account is closed.")
    if fact.role is None or not fact.seen:
        return NotFound()
    return Forbidden(rules.ARCHIVED) if fact.archived else None
