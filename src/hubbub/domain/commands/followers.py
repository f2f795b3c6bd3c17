"""Commands for followers, which are durable consumers of topics (`engine/followers.py`).

Staff pauses, resumes and replays followers, and settles their dead letters. The engine stores leases,
positions and failures.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from typing_extensions import TypeVar

from hubbub.domain.commands.base import Command, MessageSeq, Requires, Seq, Topic
from hubbub.domain.commands.examples import Example
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import SECURITY, Actor, Gone, Nothing
from hubbub.domain.model.followers import Advanced, Leases, Progress

A = TypeVar("A", default=Any)

MAX_FOLLOWER_NAME = 64
MAX_REASON = 200
FollowerName = Annotated[
    str, Field(max_length=MAX_FOLLOWER_NAME, pattern=r"^[a-z][a-z_-]*(:[A-Za-z0-9_-]+)?$", examples=["search"])
]
"""A follower's name: its kind, and after a colon which one of its kind, as in `webhook:12`."""


class Move(NamedTuple):
    """A step of a position, made by the owner with this fencing number.

    It counts only if the stored position is still `after`.
    """

    follower: str
    fence: int
    topic: str
    after: int
    seq: int


class FollowerCommand(Command[A]):
    """The base class of commands that store an effect and the position in one transaction.

    `Follower.handle` returns one with its own fields; the engine fills in the fields of this class.
    The handler calls `features.shared.followers.advance` first, and stores the effect only if that
    returns True.
    """

    requires = (Requires.SYSTEM,)
    background = True
    follower: str = ""
    fence: int = 0
    topic: str = ""
    after: int = 0
    seq: int = 0
    retried: bool = False
    """Whether this is a dead letter that is handled again. The position then stays."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class RegisterFollower(Command[Progress]):
    """Create a follower, or find it. It starts at the heads, at the beginning or at positions."""

    requires = (Requires.SYSTEM,)
    background = True
    name: FollowerName
    scope: str
    start: Literal["head", "beginning"] | dict[str, int] = "head"

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class SeedFollower(Command[Progress]):
    """Store the heads as positions, for at most `limit` topics after `after`."""

    requires = (Requires.SYSTEM,)
    background = True
    name: str
    after: str
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class RemoveFollower(Command[Progress]):
    """Remove a follower, and at most `limit` of its positions and of its dead letters."""

    requires = (Requires.SYSTEM,)
    background = True
    name: str
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class LeaseFollowers(Command[Leases]):
    """Renew the leases of `owner`, and take those that have ended.

    With `exclusive`, no other process can use the database, so that every lease of another owner
    has ended. `lease` is in milliseconds. `ended` are leases that were not renewed for so long, with
    their ends as they are stored.
    """

    requires = (Requires.SYSTEM,)
    owner: str
    names: tuple[str, ...]
    lease: int
    exclusive: bool
    ended: tuple[tuple[str, int], ...] = ()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class ReleaseFollowers(Command[Nothing]):
    """End the leases of `owner`."""

    requires = (Requires.SYSTEM,)
    owner: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class AdvanceFollowers(Command[Advanced]):
    """Store positions of followers whose effects are outside the database."""

    requires = (Requires.SYSTEM,)
    background = True
    moves: tuple[Move, ...]

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()

    def size(self) -> int:
        return 64 * len(self.moves)


class NoteFollowerFailure(Command[Nothing]):
    """Store when a follower, or one of its topics, is tried again."""

    requires = (Requires.SYSTEM,)
    background = True
    follower: str
    fence: int
    topic: str | None
    after: int = 0
    attempts: int
    next_attempt_at: int
    reason: str = Field(max_length=MAX_REASON)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class NoteFollowerRecovery(Command[Nothing]):
    """Store that a follower works again."""

    requires = (Requires.SYSTEM,)
    background = True
    follower: str
    fence: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class AddDeadLetter(Command[Nothing]):
    """Store an entry that could not be handled as a dead letter, and the position after it."""

    requires = (Requires.SYSTEM,)
    background = True
    move: Move
    attempts: int
    reason: str = Field(max_length=MAX_REASON)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class ContinueReplay(Command[Progress]):
    """Set back at most `limit` positions of a follower that is replayed in all topics."""

    requires = (Requires.SYSTEM,)
    background = True
    follower: str
    fence: int
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class SettleDeadLetter(Command[Nothing]):
    """Store the outcome of handling a dead letter again: a `reason` why it failed, or None."""

    requires = (Requires.SYSTEM,)
    background = True
    follower: str
    fence: int
    topic: str
    seq: int
    reason: str | None = Field(None, max_length=MAX_REASON)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class ForgetDeadLetters(Command[Gone]):
    """Delete at most `limit` dead letters older than `before` (milliseconds)."""

    requires = (Requires.SYSTEM,)
    background = True
    before: int
    limit: int = 1_000
    fence: int | None = None
    """That of the lease of housekeeping; None on a site of one process."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


# --- of staff --------------------------------------------------------------------------------------------------------


class StaffFollowerCommand(Command[Nothing]):
    """The base class of what staff does with a follower."""

    requires = (Requires.OPEN_ACCOUNT, Requires.STAFF)
    follower: FollowerName
    """The follower's name."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class PauseFollower(StaffFollowerCommand):
    """Pause a follower. Idempotent. It keeps its positions and misses nothing, as long as the log is
    not trimmed."""

    rest = ("POST", "/api/followers/{follower}/pause")
    errors = (NotFound, Conflict)
    example = Example({"follower": "search"})


class ResumeFollower(StaffFollowerCommand):
    """Resume a paused follower, or try a failing one again at once. Idempotent."""

    rest = ("POST", "/api/followers/{follower}/resume")
    errors = (NotFound, Conflict)
    example = Example({"follower": "search"})


class ReplayFollower(StaffFollowerCommand):
    """Handle the entries after `seq` again, in one topic or in all topics of the follower."""

    rest = ("POST", "/api/followers/{follower}/replay")
    topic: Topic | None = None
    """Null means all topics."""
    seq: Seq = 0
    """The position to go back to. 0 is the beginning. In one topic, a later position leaves entries out;
    in all topics, positions only go back."""
    example = Example({"follower": "search", "topic": "room:7", "seq": 0})


class RetryDeadLetter(StaffFollowerCommand):
    """Handle an entry again that has become a dead letter. If that succeeds, it leaves the list."""

    rest = ("POST", "/api/followers/{follower}/dead-letters/{topic}/{seq}/retry")
    topic: Topic
    seq: MessageSeq
    example = Example({"follower": "search", "topic": "room:7", "seq": 3})


class DropDeadLetter(StaffFollowerCommand):
    """Remove an entry from the dead letters. It is never handled."""

    rest = ("DELETE", "/api/followers/{follower}/dead-letters/{topic}/{seq}")
    topic: Topic
    seq: MessageSeq
    example = Example({"follower": "search", "topic": "room:7", "seq": 3})
