"""A command on its way through the journal, and the batch it travels in. Knows no thread and no store."""

from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from hubbub.domain.commands import Command
from hubbub.domain.errors import Conflict, HubbubError, Internal
from hubbub.domain.events import Entry
from hubbub.domain.model import Actor
from hubbub.storage.db_errors import StatementRejected

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the author of a command gets once it is on disk."""

    answer: dict[str, object]


Reply = Callable[[Receipt | HubbubError], None]
Publish = Callable[[Sequence[Entry]], None]


@dataclass(slots=True, eq=False)
class PendingCommand:
    """A command on its way; `source` is whoever's order of commands must be kept, `deadline` is in waited seconds."""

    command: Command
    actor: Actor
    reply: Reply
    source: object
    size: int
    deadline: float
    extra: frozenset[str] = frozenset()
    result: Receipt | HubbubError | None = None
    answered: bool = False

    def topics(self) -> Iterable[str]:
        return (*self.command.topics(self.actor), *self.extra)

    def answer(self, result: Receipt | HubbubError) -> None:
        """Tells the author, once. Whatever his gateway makes of it, the others' answers follow."""
        if self.answered:
            return
        self.answered = True
        try:
            self.reply(result)
        except Exception as error:
            logger.exception("reply_failed", command=type(self.command).__name__, exc_info=error)


class QueueLoad(NamedTuple):
    """How much the journal has to do: commands that wait, commands being written, and the bytes of both."""

    waiting: int
    writing: int
    bytes: int


class DirtyRefusal(Exception):
    """A handler refused after it had written: the transaction cannot be kept for its neighbours."""


@dataclass(slots=True)
class Batch:
    """What one transaction did: its works with their results, and its entries in log order."""

    commands: list[PendingCommand]
    entries: list[Entry] = field(default_factory=list)
    retries: list[PendingCommand] = field(default_factory=list)
    seconds: float = 0.0


def resolver(future: Future[Receipt]) -> Reply:
    """A reply that resolves a future; whoever waited for it may be gone."""

    def reply(result: Receipt | HubbubError) -> None:
        if future.done():
            return
        if isinstance(result, HubbubError):
            future.set_exception(result)
        else:
            future.set_result(result)

    return reply


def group_by_kind(works: list[PendingCommand]) -> list[list[PendingCommand]]:
    """Splits a batch into runs of one kind, keeping the order of each source's commands.

    A source's command goes to the stage after its previous one, or to the same where that is of the same kind.
    """
    stages: dict[object, tuple[int, type[Command]]] = {}
    found: dict[tuple[int, type[Command]], list[PendingCommand]] = {}
    for work in works:
        kind = type(work.command)
        stage, last = stages.get(work.source, (0, kind))
        place = (stage if last is kind else stage + 1, kind)
        stages[work.source] = place
        found.setdefault(place, []).append(work)
    return [found[place] for place in sorted(found, key=_stage)]


def _stage(place: tuple[int, type[Command]]) -> int:
    return place[0]


def attribute_failure(work: PendingCommand, error: Exception) -> HubbubError:
    """What the author of the one command that spoiled its transaction is told."""
    if isinstance(error, DirtyRefusal) and isinstance(error.__cause__, HubbubError):
        return error.__cause__
    if isinstance(error, StatementRejected) and error.by_constraint:
        # What another node committed between our check and our write: the constraint has the last word.
        logger.warning("store_refused", kind=work.command.kind)
        return Conflict()
    logger.error("command_failed", kind=work.command.kind, exc_info=error)
    return Internal()
