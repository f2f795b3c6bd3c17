"""Reactions: runs of them decided at once, and who reacted to a message."""

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
    """Decides a whole run. What is there already, also since earlier in the run, is answered with an empty object."""
    asked = [ReactionRequest(command.room, command.message, command.emoji, actor.id) for command, actor in run]
    facts = reactions.facts(tx, asked)
    there = reactions.emoji_at(tx, ((one.room, one.message) for one in asked))
    done: list[Answer | HubbubError] = []
    new: dict[ReactionRequest, tuple[int, int]] = {}
    for (_, actor), one, fact in zip(run, asked, facts, strict=True):
        refusal = _refusal(fact)
        kinds = there.setdefault((one.room, one.message), {})
        if refusal is not None:
            done.append(refusal)
        elif fact.there or one in new:
            done.append({})
        elif fact.deleted:
            done.append(Conflict("This message is deleted."))
        elif one.emoji not in kinds and len(kinds) >= MAX_REACTIONS:
            done.append(Conflict(f"A message takes {MAX_REACTIONS} different emoji, and no more."))
        else:
            event = ReactionAdded(room=one.room, message=one.message, by=actor.id, name=actor.name, emoji=one.emoji)
            entry = tx.append(event)
            new[one] = (entry.seq, kinds.setdefault(one.emoji, entry.seq))
            done.append({"topic": entry.topic, "seq": entry.seq})
    if new:
        reactions.add_all(tx, [(*one, *place) for one, place in new.items()])
    return done


def remove(run: Sequence[tuple[RemoveReaction, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Decides a whole run. What is not there is answered with an empty object."""
    asked = [ReactionRequest(command.room, command.message, command.emoji, actor.id) for command, actor in run]
    done: list[Answer | HubbubError] = []
    gone: set[ReactionRequest] = set()
    for (_, actor), one, fact in zip(run, asked, reactions.facts(tx, asked), strict=True):
        refusal = _refusal(fact)
        if refusal is not None:
            done.append(refusal)
        elif not fact.there or one in gone:
            done.append({})
        else:
            event = ReactionRemoved(room=one.room, message=one.message, by=actor.id, name=actor.name, emoji=one.emoji)
            entry = tx.append(event)
            gone.add(one)
            done.append({"topic": entry.topic, "seq": entry.seq})
    if gone:
        reactions.remove_all(tx, sorted(gone))
    return done


def listing(connection: Connection, user: int, where: tuple[int, int], after: int, limit: int) -> Answer:
    """A page of those who reacted to the message `where` = (room, seq), for who may read it. Raises NotFound."""
    room, seq = where
    own = members.find(connection, room, user)
    if own is None or seq < own.sees_from or reads.number_of(connection, room, seq) is None:
        raise NotFound()
    found = reactions.listing(connection, room, seq, after, limit + 1)
    return {
        "reactions": [one._asdict() for one in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _refusal(fact: ReactionFacts) -> HubbubError | None:
    if fact.disabled:
        return Forbidden("This account is closed.")
    if fact.role is None or not fact.seen:
        return NotFound()
    return Forbidden(rules.ARCHIVED) if fact.archived else None
