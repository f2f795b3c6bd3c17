"""A pending command of the journal, and the batch in which it is committed.

Knows no thread and no store.
"""

from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple

import structlog
from typing_extensions import TypeVar

from hubbub.domain.commands import Command
from hubbub.domain.errors import Conflict, DirtyRefusal, HubbubError, Internal
from hubbub.domain.events import Entry
from hubbub.domain.model import Actor
from hubbub.storage.db_errors import StatementRejected

logger = structlog.get_logger(__name__)

A = TypeVar("A", default=Any)


@dataclass(frozen=True, slots=True)
class Receipt(Generic[A]):
    """The answer to a command whose effects are on disk."""

    answer: A


Reply = Callable[[Receipt | HubbubError], None]
Publish = Callable[[Sequence[Entry]], None]


@dataclass(slots=True, eq=False)
class PendingCommand:
    """A command that is queued or being written.

    The commands of one `source` are run in the order in which they were queued.
    """

    command: Command
    actor: Actor
    reply: Reply
    source: object
    size: int
    deadline: float
    """In the seconds of the journal's ActiveClock."""
    extra: frozenset[str] = frozenset()
    """Topics that the handler turned out to need beyond those of the command."""
    result: Receipt | HubbubError | None = None
    answered: bool = False

    def topics(self) -> Iterable[str]:
        return (*self.command.topics(self.actor), *self.extra)

    def answer(self, result: Receipt | HubbubError) -> None:
        """Reply to the author, once.

        An error in the reply callback must not keep other authors from their answers.
        """
        if self.answered:
            return
        self.answered = True
        try:
            self.reply(result)
        except Exception as error:
            logger.exception("reply_failed", command=type(self.command).__name__, exc_info=error)


class QueueLoad(NamedTuple):
    """The journal's load: commands that wait or are being written, and their bytes."""

    waiting: int
    writing: int
    bytes: int


@dataclass(slots=True)
class Batch:
    """The result of one transaction.

    `commands` have their results; `entries` are in log order.
    """

    commands: list[PendingCommand]
    entries: list[Entry] = field(default_factory=list)
    retries: list[PendingCommand] = field(default_factory=list)
    """Commands that need more topics than were locked. They are run again, each in a transaction of
    its own."""
    seconds: float = 0.0


def resolver(future: Future[Receipt[A]]) -> Reply:
    """Return a reply that resolves `future`, unless the waiting task has cancelled it."""

    def reply(result: Receipt | HubbubError) -> None:
        if future.done():
            return
        if isinstance(result, HubbubError):
            future.set_exception(result)
        else:
            future.set_result(result)

    return reply


def group_by_kind(commands: list[PendingCommand]) -> list[list[PendingCommand]]:
    """Split a batch into runs of one kind of command.

    The order of each source's commands is kept. Runs are sorted by stage. A source's command goes
    to the same stage as its previous command if both are of one kind, else to the next stage.
    """
    last_keys: dict[object, tuple[int, type[Command]]] = {}
    runs: dict[tuple[int, type[Command]], list[PendingCommand]] = {}
    for pending in commands:
        kind = type(pending.command)
        stage, last_kind = last_keys.get(pending.source, (0, kind))
        key = (stage if last_kind is kind else stage + 1, kind)
        last_keys[pending.source] = key
        runs.setdefault(key, []).append(pending)
    return [runs[key] for key in sorted(runs, key=_stage)]


def _stage(key: tuple[int, type[Command]]) -> int:
    return key[0]


def attribute_failure(pending: PendingCommand, error: Exception) -> HubbubError:
    """Return the error for the author of the command that made its batch fail."""
    if isinstance(error, DirtyRefusal) and isinstance(error.__cause__, HubbubError):
        return error.__cause__
    if isinstance(error, StatementRejected) and error.by_constraint:
        # Another node committed a conflicting row between our check and our write. The constraint
        # decides.
        logger.warning("store_refused", kind=pending.command.kind)
        return Conflict()
    logger.error("command_failed", kind=pending.command.kind, exc_info=error)
    return Internal()
