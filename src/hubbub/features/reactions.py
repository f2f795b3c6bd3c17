"""Reactions: add and remove them in runs, and list the reactions to a message."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from hubbub.domain.commands import AddReaction, RemoveReaction
from hubbub.domain.errors import Conflict, HubbubError, NotFound
from hubbub.domain.events import ReactionAdded, ReactionRemoved
from hubbub.domain.model import MaybePosition, room_topic
from hubbub.domain.text import MAX_OWN_REACTIONS, MAX_REACTIONS
from hubbub.features.shared.access import get_membership
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles_run
from hubbub.storage import log, reactions, reads
from hubbub.storage.reactions import ReactionKey
from hubbub.storage.transaction import Transaction


@handles_run(AddReaction)
def add(run: Sequence[Request[AddReaction]], tx: Transaction) -> list[MaybePosition | HubbubError]:
    """Add a run of reactions.

    Existing ones, also from earlier in the run, get an empty answer.
    """
    keys = _keys(run)
    existing = reactions.existing(tx, keys)
    emoji_by_message = reactions.emoji_at(tx, ((key.room, key.message) for key in keys))
    own = _own_counts(tx, keys, emoji_by_message)
    results: list[MaybePosition | HubbubError] = []
    new: dict[ReactionKey, tuple[int, int]] = {}
    for request, key in zip(run, keys, strict=True):
        room, message, emoji, _ = key
        first_seqs = emoji_by_message.setdefault((room, message), {})
        if key in existing or key in new:
            results.append({})
        elif request.message.body is None:
            results.append(Conflict("This message was deleted."))
        elif emoji not in first_seqs and len(first_seqs) >= MAX_REACTIONS:
            results.append(Conflict(f"A message can have at most {MAX_REACTIONS} different emoji."))
        elif own[room, message, key.user] >= MAX_OWN_REACTIONS:
            results.append(Conflict(f"You can add at most {MAX_OWN_REACTIONS} different emoji to a message."))
        else:
            own[room, message, key.user] += 1
            actor = request.actor
            entry = tx.append(ReactionAdded(room=room, message=message, by=actor.id, name=actor.name, emoji=emoji))
            new[key] = (entry.seq, first_seqs.setdefault(emoji, entry.seq))
            results.append(entry.maybe_position())
    if new:
        reactions.add_all(tx, [(*key, *seqs) for key, seqs in new.items()])
    return results


@handles_run(RemoveReaction)
def remove(run: Sequence[Request[RemoveReaction]], tx: Transaction) -> list[MaybePosition | HubbubError]:
    """Remove a run of reactions. Those that do not exist get an empty answer."""
    keys = _keys(run)
    remaining = reactions.existing(tx, keys)
    results: list[MaybePosition | HubbubError] = []
    removed: list[ReactionKey] = []
    for request, key in zip(run, keys, strict=True):
        if key not in remaining:
            results.append({})
            continue
        room, message, emoji, _ = key
        actor = request.actor
        entry = tx.append(ReactionRemoved(room=room, message=message, by=actor.id, name=actor.name, emoji=emoji))
        remaining.remove(key)
        removed.append(key)
        results.append(entry.maybe_position())
    if removed:
        reactions.remove_all(tx, sorted(removed))
    return results


def listing(connection: Connection, user: int, where: tuple[int, int], after: int, limit: int) -> dict[str, object]:
    """Return a page of the reactions to the message `where` = (room, seq).

    Raises NotFound if the user may not read the message.
    """
    room, seq = where
    own = get_membership(connection, user, room)
    if seq < own.sees_from or reads.number_of(connection, room, seq) is None:
        raise NotFound()
    found = reactions.listing(connection, room, seq, after, limit + 1)
    return {
        "reactions": [reaction._asdict() for reaction in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def _own_counts(
    tx: Transaction, keys: Sequence[ReactionKey], emoji: Mapping[tuple[int, int], Mapping[str, int]]
) -> Counter[tuple[int, int, int]]:
    """Count the stored emoji of each user on each message, where a run could exceed the limit. One statement."""
    added = Counter((key.room, key.message, key.user) for key in keys)
    wanted = [
        ReactionKey(room, message, one, user)
        for (room, message, user), count in added.items()
        if count + len(emoji.get((room, message), ())) > MAX_OWN_REACTIONS
        for one in emoji.get((room, message), ())
    ]
    stored = reactions.existing(tx, wanted) if wanted else ()
    return Counter((key.room, key.message, key.user) for key in stored)


def _keys(run: Sequence[Request[AddReaction]] | Sequence[Request[RemoveReaction]]) -> list[ReactionKey]:
    return [
        ReactionKey(request.command.room, request.command.message, request.command.emoji, request.actor.id)
        for request in run
    ]
