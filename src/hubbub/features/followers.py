"""Followers: registration, leases, positions, failures and dead letters."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from hubbub.domain.commands.followers import (
    AddDeadLetter,
    AdvanceFollowers,
    LeaseFollowers,
    NoteFollowerFailure,
    NoteFollowerRecovery,
    RegisterFollower,
    ReleaseFollowers,
    RemoveFollower,
    SeedFollower,
)
from hubbub.domain.errors import NotFound
from hubbub.domain.events import Entry, FollowerChanged
from hubbub.domain.model import Nothing
from hubbub.domain.model.followers import Advanced, Lease, Leases, Progress
from hubbub.features.shared.followers import REFUSALS, Fenced, advance_all, register
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import followers, log
from hubbub.storage.followers import StoredFollower
from hubbub.storage.transaction import Transaction

EXCLUSIVE_LEASE = 2**52
"""The end of a lease that no other process can take."""


@handles(RegisterFollower)
def register_follower(request: Request[RegisterFollower], tx: Transaction) -> Progress:
    command = request.command
    return {"after": register(tx, command.name, command.scope, command.start)}


@handles(SeedFollower)
def seed(request: Request[SeedFollower], tx: Transaction) -> Progress:
    """Store heads as positions; let the follower start when all are stored."""
    command = request.command
    found = followers.lock(tx, [command.name]).get(command.name)
    if found is None:
        raise NotFound()
    if found.state != "starting":
        return {"after": None}
    after = followers.seed(tx, command.name, found.scope, command.after, command.limit)
    if after is None:
        followers.change(tx, command.name, state="running")
    return {"after": after}


@handles(RemoveFollower)
def remove(request: Request[RemoveFollower], tx: Transaction) -> Progress:
    """Remove a follower in steps. The first step ends its work on every node."""
    command = request.command
    if followers.lock(tx, [command.name]):
        tx.append(FollowerChanged(follower=command.name))
    return {"after": "" if followers.remove(tx, command.name, command.limit) else None}


@handles(LeaseFollowers)
def lease(request: Request[LeaseFollowers], tx: Transaction) -> Leases:
    """Renew or take leases. A lease that has more than two thirds of its time is left alone."""
    command = request.command
    found = followers.lock(tx, command.names)
    waiting = followers.with_retries(tx.connection, command.names)
    leases = {}
    until = EXCLUSIVE_LEASE if command.exclusive else tx.now + command.lease
    for name, each in found.items():
        mine, fence = each.owner == command.owner, each.fence
        if not mine and (command.exclusive or each.lease_until <= tx.now):
            mine, fence = True, each.fence + 1
            followers.change(tx, name, owner=command.owner, fence=fence, lease_until=until)
        elif mine and each.lease_until < tx.now + command.lease * 2 // 3:
            followers.change(tx, name, lease_until=until)
        leases[name] = Lease(
            each.state, fence if mine else 0, each.attempts, each.failing_since, each.next_attempt_at, name in waiting
        )
    return {"leases": leases}


@handles(ReleaseFollowers)
def release(request: Request[ReleaseFollowers], tx: Transaction) -> Nothing:
    followers.release(tx, request.command.owner)
    return {}


@handles(AdvanceFollowers)
def advance(request: Request[AdvanceFollowers], tx: Transaction) -> Advanced:
    """Store positions. The outcome of each move tells whether it counted."""
    return {"outcomes": list(advance_all(tx, request.command.moves))}


@handles(NoteFollowerFailure)
def note_failure(request: Request[NoteFollowerFailure], tx: Transaction) -> Nothing:
    """Store the failure of a topic, or of the whole follower."""
    command = request.command
    found = _owned(tx, command.follower, command.fence)
    failed = {"last_error": command.reason, "last_error_at": tx.now}
    if command.topic is None:
        since = tx.now if found.failing_since is None else found.failing_since
        again = {"attempts": command.attempts, "next_attempt_at": command.next_attempt_at, "failing_since": since}
        followers.change(tx, command.follower, **failed, **again)
        return {}
    key = (command.follower, command.topic)
    if followers.positions_at(tx.connection, [key]).get(key, 0) == command.after:
        followers.note_failure(tx, command.follower, command.topic, command.attempts, command.next_attempt_at)
    followers.change(tx, command.follower, **failed)
    return {}


@handles(NoteFollowerRecovery)
def note_recovery(request: Request[NoteFollowerRecovery], tx: Transaction) -> Nothing:
    command = request.command
    _owned(tx, command.follower, command.fence)
    followers.change(tx, command.follower, attempts=0, next_attempt_at=None, failing_since=None)
    return {}


@handles(AddDeadLetter)
def add_dead_letter(request: Request[AddDeadLetter], tx: Transaction) -> Nothing:
    """Move the position past an entry that cannot be handled, and list it."""
    command, move = request.command, request.command.move
    (outcome,) = advance_all(tx, [move])
    if outcome in REFUSALS:
        raise REFUSALS[outcome]
    if outcome == "moved":
        followers.add_dead_letter(tx, move.follower, move.topic, move.seq, command.attempts, command.reason)
        followers.change(tx, move.follower, last_error=command.reason, last_error_at=tx.now)
    return {}


def _owned(tx: Transaction, name: str, fence: int) -> StoredFollower:
    """Lock a follower. Raises Fenced if it is gone or has another owner."""
    found = followers.lock(tx, [name]).get(name)
    if found is None or found.fence != fence:
        raise Fenced()
    return found


# --- queries ---------------------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """The next entries of a topic, without a gap after `after`. None if there is a gap."""

    topic: str
    after: int
    head: int
    floor: int
    entries: Sequence[Entry] | None


def pages(connection: Connection, wanted: Sequence[tuple[str, int]], limit: int, characters: int) -> list[Page]:
    """Return the next entries of several topics, given as (topic, position).

    At most `limit` entries of each, and about as many `characters` in all: the last topics may be
    left out, but never the first one.
    """
    found: list[Page] = []
    for topic, after in wanted:
        place = log.position(connection, topic)
        if place is None:
            continue
        head, floor = place
        if not floor <= after <= head:
            found.append(Page(topic, after, head, floor, None))
            continue
        entries = log.entries(connection, topic, after, limit)
        kept = 0
        for entry in entries:
            characters -= len(entry.text)
            if characters < 0 and kept:
                break
            kept += 1
        found.append(Page(topic, after, head, floor, entries[:kept]))
        if characters <= 0:
            break
    return found
