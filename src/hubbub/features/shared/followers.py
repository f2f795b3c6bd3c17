"""Followers, for the handlers that store effects with positions, and for those that manage followers."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection

from hubbub.domain.commands.followers import FollowerCommand, Move
from hubbub.domain.errors import Conflict, HubbubError, NotFound
from hubbub.domain.events import FollowerChanged
from hubbub.domain.model.followers import DeadLetter
from hubbub.domain.text import timestamp
from hubbub.storage import followers, log
from hubbub.storage.followers import StoredFollower
from hubbub.storage.transaction import Transaction

HOUSEKEEPING = "housekeeping"
"""The lease under which one node of a site keeps house."""
SEEDED = 1_000
"""Heads that one step of a start stores."""
Outcome = Literal["moved", "moved_before", "moved_elsewhere", "fenced"]


class Fenced(Conflict):
    sentence = "Another process owns this follower now."


class MovedElsewhere(Conflict):
    sentence = "The position of this follower was changed meanwhile."


REFUSALS: dict[str, type[HubbubError]] = {"fenced": Fenced, "moved_elsewhere": MovedElsewhere}


def advance(tx: Transaction, command: FollowerCommand) -> bool:
    """Store the position of a command; return whether its effect is still to be stored.

    Call it before anything is written. A dead letter that is handled again is removed from the list;
    the position stays. Raises Fenced if another process owns the follower, MovedElsewhere if an
    operator has changed the position.
    """
    move = Move(command.follower, command.fence, command.topic, command.after, command.seq)
    if command.retried:
        _check_fence(tx, move)
        return followers.remove_dead_letter(tx, command.follower, command.topic, command.seq)
    (outcome,) = advance_all(tx, [move])
    if outcome in REFUSALS:
        raise REFUSALS[outcome]
    return outcome == "moved"


def advance_all(tx: Transaction, moves: Sequence[Move]) -> list[Outcome]:
    """Store positions, each if its owner is the present one and if it was not changed meanwhile.

    Four statements. A position that is already as far, or further, stays.
    """
    locked = followers.lock(tx, (move.follower for move in moves))
    positions = followers.positions_at(tx.connection, ((move.follower, move.topic) for move in moves))
    stored = dict(positions)
    outcomes: list[Outcome] = []
    for move in moves:
        follower, key = locked.get(move.follower), (move.follower, move.topic)
        seq = stored.get(key, 0)
        if follower is None or follower.fence != move.fence:
            outcomes.append("fenced")
        elif seq == move.after:
            outcomes.append("moved")
            stored[key] = move.seq
        else:
            outcomes.append("moved_before" if seq >= move.seq > move.after else "moved_elsewhere")
    changed = [(*key, seq) for key, seq in stored.items() if positions.get(key) != seq]
    followers.put(
        tx,
        [each for each in changed if each[:2] not in positions],
        [each for each in changed if each[:2] in positions],
    )
    return outcomes


def register(tx: Transaction, name: str, scope: str, start: str | dict[str, int]) -> str | None:
    """Create a follower if there is none of this name.

    `start` is `head`, `beginning`, or a position for each topic. Returns where to go on storing the
    heads; None if the follower can start.
    """
    found = followers.find(tx.connection, name)
    if found is not None:
        if found.scope != scope:  # its new topics start at their heads
            followers.change(tx, name, scope=scope, state="starting")
            return ""
        return "" if found.state == "starting" else None
    after = None
    if start == "head":
        after = followers.seed(tx, name, scope, "", SEEDED)
    elif not isinstance(start, str):
        followers.put(tx, [(name, topic, seq) for topic, seq in start.items()], ())
    followers.add(tx, name, scope, "running" if after is None else "starting")
    return after


def replay(tx: Transaction, found: StoredFollower, topic: str | None, seq: int) -> None:
    """Set the position in one topic; let the engine set back those in all topics, in steps.

    A follower never goes back behind the position at which it started. Raises NotFound for a topic
    outside of the scope, and for a position above the head.
    """
    if topic is None:
        followers.change(tx, found.name, replay_seq=seq, replay_after="")
    else:
        head, _ = log.position(tx.connection, topic) or (0, 0)
        if not followers.in_scope(found.scope, topic) or seq > head:
            raise NotFound()
        key = (found.name, topic)
        moved = [(*key, max(seq, followers.start_of(tx.connection, *key)))]
        present = key in followers.positions_at(tx.connection, [key])
        followers.put(tx, *(([], moved) if present else (moved, [])))
    tx.append(FollowerChanged(follower=found.name))


def run_again(tx: Transaction, found: StoredFollower) -> None:
    """Let a follower run, and forget that it has to wait."""
    followers.change(tx, found.name, state="running", attempts=0, next_attempt_at=None, failing_since=None)
    followers.retry_topics(tx, found.name)
    tx.append(FollowerChanged(follower=found.name))


def check_site_lease(tx: Transaction, name: str, fence: int | None) -> None:
    """Raise Fenced if the lease has another owner. `fence` is None on a site of one process, which has no lease.

    The row is not locked: a write that was checked just before another process took the lease does
    no harm, but a write long after that would.
    """
    if fence is not None:
        found = followers.find(tx.connection, name)
        if found is None or found.fence != fence:
            raise Fenced()


def dead_letters_of(connection: Connection, name: str, after: str, limit: int) -> list[DeadLetter]:
    """Return dead letters after a `topic,seq`, in that order."""
    topic, _, seq = after.partition(",")
    return [
        DeadLetter(
            topic=each.topic,
            seq=each.seq,
            at=timestamp(each.at),
            attempts=each.attempts,
            reason=each.reason,
            retry=bool(each.retry),
        )
        for each in followers.dead_letters_of(connection, name, (topic, int(seq or 0)), limit)
    ]


def _check_fence(tx: Transaction, move: Move) -> None:
    found = followers.lock(tx, [move.follower]).get(move.follower)
    if found is None or found.fence != move.fence:
        raise Fenced()
