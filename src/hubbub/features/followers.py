"""Followers: registration, leases, positions, failures and dead letters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands.followers import (
    AddDeadLetter,
    AdvanceFollowers,
    ContinueReplay,
    DropDeadLetter,
    ForgetDeadLetters,
    LeaseFollowers,
    NoteFollowerFailure,
    NoteFollowerRecovery,
    PauseFollower,
    RegisterFollower,
    ReleaseFollowers,
    RemoveFollower,
    ReplayFollower,
    ResumeFollower,
    RetryDeadLetter,
    SeedFollower,
    SettleDeadLetter,
)
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import Entry, FollowerChanged
from hubbub.domain.model import Actor, Gone, Nothing
from hubbub.domain.model.followers import Advanced, DeadLetter, Follower, Lease, Leases, Progress
from hubbub.domain.text import timestamp
from hubbub.features.shared.followers import (
    HOUSEKEEPING,
    REFUSALS,
    Fenced,
    advance_all,
    check_site_lease,
    dead_letters_of,
    register,
    replay,
    run_again,
)
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import followers, log
from hubbub.storage.followers import StoredFollower
from hubbub.storage.transaction import Transaction

EXCLUSIVE_LEASE = 2**52
"""The end of a lease that no other process can take."""
MAX_ENTRIES = 500
"""Entries that `pages` returns, at most."""


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
    """Renew or take leases. A lease that was renewed a moment ago is left alone.

    An end that is too far away is that of a clock that has been set, and is replaced.
    """
    command = request.command
    found = followers.lock(tx, command.names)
    waiting = followers.with_retries(tx.connection, command.names)
    until = EXCLUSIVE_LEASE if command.exclusive else tx.now + command.lease
    owner = command.owner
    others = {name for name, each in found.items() if each.owner != owner}
    ended = set(command.ended)
    free = {
        name
        for name in others
        if command.exclusive or found[name].lease_until <= tx.now or (name, found[name].lease_until) in ended
    }
    nearly = until - command.lease // 10
    renewed = [name for name in found if name not in others and not nearly <= found[name].lease_until <= until]
    followers.take(tx, sorted(free), owner, until)
    followers.renew(tx, renewed, until)
    leases = {
        name: Lease(
            each.state,
            each.fence + 1 if name in free else 0 if name in others else each.fence,
            each.attempts,
            each.failing_since,
            each.next_attempt_at,
            each.replay_seq is not None,
            name in waiting,
            until if name in free or name in renewed else each.lease_until,
        )
        for name, each in found.items()
    }
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


@handles(ContinueReplay)
def continue_replay(request: Request[ContinueReplay], tx: Transaction) -> Progress:
    command = request.command
    found = _owned(tx, command.follower, command.fence)
    if found.replay_seq is None:
        return {"after": None}
    after = followers.set_back(tx, command.follower, found.replay_seq, found.replay_after or "", command.limit)
    seq = None if after is None else found.replay_seq
    followers.change(tx, command.follower, replay_seq=seq, replay_after=after)
    return {"after": after}


@handles(SettleDeadLetter)
def settle_dead_letter(request: Request[SettleDeadLetter], tx: Transaction) -> Nothing:
    command = request.command
    _owned(tx, command.follower, command.fence)
    where = (command.follower, command.topic, command.seq)
    if command.reason is None:
        followers.remove_dead_letter(tx, *where)
    else:
        followers.change_dead_letter(tx, *where, retry=False, reason=command.reason, at=tx.now)
    return {}


@handles(ForgetDeadLetters)
def forget_dead_letters(request: Request[ForgetDeadLetters], tx: Transaction) -> Gone:
    check_site_lease(tx, HOUSEKEEPING, request.command.fence)
    return {"gone": followers.forget_dead_letters(tx, request.command.before, request.command.limit)}


# --- of staff --------------------------------------------------------------------------------------------------------


@handles(PauseFollower)
def pause(request: Request[PauseFollower], tx: Transaction) -> Nothing:
    found = _started(tx, request.command.follower)
    return {} if found.state == "paused" else _change(tx, found, state="paused")


@handles(ResumeFollower)
def resume(request: Request[ResumeFollower], tx: Transaction) -> Nothing:
    """Resume a follower; forget that it has to wait."""
    run_again(tx, _started(tx, request.command.follower))
    return {}


@handles(ReplayFollower)
def replay_follower(request: Request[ReplayFollower], tx: Transaction) -> Nothing:
    command = request.command
    found = _existing(tx, command.follower)
    replay(tx, found, command.topic, command.seq)
    return {}


@handles(RetryDeadLetter)
def retry_dead_letter(request: Request[RetryDeadLetter], tx: Transaction) -> Nothing:
    letter = _dead_letter(tx, request.command)
    followers.change_dead_letter(tx, *letter, retry=True)
    tx.append(FollowerChanged(follower=request.command.follower))
    return {}


@handles(DropDeadLetter)
def drop_dead_letter(request: Request[DropDeadLetter], tx: Transaction) -> Nothing:
    followers.remove_dead_letter(tx, *_dead_letter(tx, request.command))
    return {}


def _change(tx: Transaction, found: StoredFollower, **values: Any) -> Nothing:
    """Change columns of a follower, and wake its owner."""
    followers.change(tx, found.name, **values)
    tx.append(FollowerChanged(follower=found.name))
    return {}


def _dead_letter(tx: Transaction, command: RetryDeadLetter | DropDeadLetter) -> tuple[str, str, int]:
    """Lock the follower and return the key of its dead letter. Raises NotFound."""
    found = _existing(tx, command.follower)
    if not followers.has_dead_letter(tx.connection, found.name, command.topic, command.seq):
        raise NotFound()
    return found.name, command.topic, command.seq


def _existing(tx: Transaction, name: str) -> StoredFollower:
    """Lock a follower. Raises NotFound, also for a lease that no follower works under."""
    found = followers.lock(tx, [name]).get(name)
    if found is None or not found.scope:
        raise NotFound()
    return found


def _started(tx: Transaction, name: str) -> StoredFollower:
    """Lock a follower. Raises NotFound; Conflict if its first positions are still being stored."""
    found = _existing(tx, name)
    if found.state == "starting":
        raise Conflict("This follower is still starting. Try again in a moment.")
    return found


def _owned(tx: Transaction, name: str, fence: int) -> StoredFollower:
    """Lock a follower. Raises Fenced if it is gone or has another owner."""
    found = followers.lock(tx, [name]).get(name)
    if found is None or found.fence != fence:
        raise Fenced()
    return found


# --- queries ---------------------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """The next entries of a topic, without a gap after `after`.

    None if there is a gap: the log was trimmed behind the position, or the position is above the
    head. The topic goes on at `target`. `more` tells whether further entries may follow.
    """

    topic: str
    after: int
    entries: Sequence[Entry] | None
    target: int
    more: bool


def pages(connection: Connection, wanted: Sequence[tuple[str, int]], limit: int, characters: int) -> list[Page]:
    """Return the next entries of several topics, given as (topic, position).

    At most `limit` entries of each, and about as many `characters` in all: the last topics may be
    left out, but never the first one. One statement, and one for each topic without a next entry.
    """
    lists, ended = log.entries_of(connection, wanted, limit, MAX_ENTRIES, characters)
    found: list[Page] = []
    for number, entries in enumerate(lists, start=1):
        topic, after = wanted[number - 1]
        if entries and entries[0].seq == after + 1:
            more = len(entries) == limit or (ended and number == len(lists))
            found.append(Page(topic, after, entries, entries[-1].seq, more))
            continue
        head, floor = log.position(connection, topic) or (0, 0)
        if floor <= after <= head:
            found.append(Page(topic, after, [], after, more=False))
        else:
            target = floor if after < floor else head
            found.append(Page(topic, after, None, target, more=target < head))
    return found


def stored(connection: Connection, actor: Actor, after: str, limit: int) -> list[StoredFollower]:
    """Return followers in the order of their names, to be described one by one. Raises Forbidden."""
    rules.may_manage_followers(actor)
    return followers.listing(connection, after, limit)


def listing(connection: Connection, after: str, limit: int) -> tuple[list[Follower], bool]:
    """Return followers by name, and whether there are more, for the operator."""
    found = followers.listing(connection, after, limit + 1)
    return [describe(connection, each) for each in found[:limit]], len(found) > limit


def describe(connection: Connection, each: StoredFollower) -> Follower:
    """Return a follower as staff sees it. Compares the heads of all its topics with its positions."""
    lag = followers.lag(connection, each.name, each.scope)
    return Follower(
        name=each.name,
        scope=each.scope,
        state=each.state,
        created_at=timestamp(each.created_at),
        topic_count=lag.topics,
        entry_count=lag.entries,
        oldest_at=_time(lag.oldest_at),
        dead_letter_count=followers.count_dead_letters(connection, each.name),
        failing_since=_time(each.failing_since),
        next_attempt_at=_time(each.next_attempt_at),
        last_error=each.last_error,
        last_error_at=_time(each.last_error_at),
    )


def dead_letters(connection: Connection, actor: Actor, name: str, after: str, limit: int) -> list[DeadLetter]:
    """Return dead letters after a `topic,seq`, in that order. Raises Forbidden, NotFound."""
    rules.may_manage_followers(actor)
    found = followers.find(connection, name)
    if found is None or not found.scope:
        raise NotFound()
    return dead_letters_of(connection, name, after, limit)


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp(milliseconds)
