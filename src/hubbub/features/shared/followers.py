"""Positions of followers, for the handlers that store an effect together with its position."""

from collections.abc import Sequence
from typing import Literal

from hubbub.domain.commands.followers import FollowerCommand, Move
from hubbub.domain.errors import Conflict, HubbubError
from hubbub.storage import followers
from hubbub.storage.transaction import Transaction

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


def _check_fence(tx: Transaction, move: Move) -> None:
    found = followers.lock(tx, [move.follower]).get(move.follower)
    if found is None or found.fence != move.fence:
        raise Fenced()
