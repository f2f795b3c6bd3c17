"""The one write path: queue, batch, transaction, COMMIT, publication, answers.

One writer thread takes everything that waits, runs it in one transaction, commits once (with
fsync), and hands the whole batch back to the event loop with a single call. Under load the batch
grows by itself; when idle a batch is one command and waits for nothing.

* No answer and no event is sent before the COMMIT that stores it has returned.
* A batch keeps the order of each source's commands and no other order, so that commands of one kind
  form one run.
* If the store refuses a statement, the batch is rolled back and halved until the failing command is
  alone.
* If another node's transaction won against ours (a deadlock), ours is run again, a few times.
* If the store does not answer, the whole batch is `unavailable`. If the outcome of a COMMIT is
  unknown, the writer looks it up in the log before it answers.
* A command that waits longer than DEADLINE seconds is answered `unavailable`; a retry with the same
  key returns what happened. Seconds in which the event loop itself stands still say nothing about
  the store, and hardly count.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from random import uniform
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy import Connection, RootTransaction

from hubbub.clock import Clock
from hubbub.domain.commands import Command
from hubbub.domain.errors import (
    OUTCOME_BY_KEY,
    OUTCOME_UNKNOWN,
    Busy,
    HubbubError,
    Internal,
    NeedsTopics,
    Unavailable,
)
from hubbub.domain.model import Actor
from hubbub.engine.batch import (
    Batch,
    PendingCommand,
    Publish,
    QueueLoad,
    Receipt,
    Reply,
    attribute_failure,
    group_by_kind,
    resolver,
)
from hubbub.engine.history import History
from hubbub.features import HANDLERS
from hubbub.storage import log
from hubbub.storage.active_time import ActiveClock
from hubbub.storage.database import Database, WriterConnection
from hubbub.storage.db_errors import Contended, StatementRejected, translate_errors
from hubbub.storage.epochs import WentBack
from hubbub.storage.ids import Ids
from hubbub.storage.transaction import Transaction

A = TypeVar("A")
MAX_BATCH = 1_000
MAX_BATCH_BYTES = 256 * 1024
DEADLINE = 1.75
"""Seconds for which a command waits before it is answered `unavailable`."""
MAX_BACKGROUND_BYTES = 16 * 1024
"""A batch takes background commands up to this size, but at least one, so that they neither delay
users' commands noticeably nor wait for ever."""
SWEEP_INTERVAL = 0.1
SETTLE_INTERVAL = 0.01
RECONNECT = 0.25
"""Seconds between two attempts to look up an unknown COMMIT."""
MAX_REPEATS = 4
"""How often a transaction is run again after another node's transaction won against it."""
REPEAT_DELAY = 0.01
"""Seconds up to which the first repetition is delayed, at random; each further one up to twice as
many."""

logger = structlog.get_logger(__name__)


class Journal:
    """The write path.

    `submit` and `enqueue` must be called on the event loop's thread. The composition root starts
    and stops it, and sets `prepare`, which is called with each command before it is queued.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        publish: Publish,
        *,
        max_commands: int = 10_000,
        max_bytes: int = 16 * 2**20,
        observe: Callable[[Batch], None] | None = None,
        history: History | None = None,
    ) -> None:
        self._clock, self._publish, self._observe = clock, publish, observe
        self._max_commands, self._max_bytes = max_commands, max_bytes
        self._waiting: deque[PendingCommand] = deque()
        self._background: deque[PendingCommand] = deque()
        self._bytes = 0
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._signalled = self._sweeping = self._stopping = False
        self._suspected = False
        self._history = history
        self.on_new_epoch: Callable[[str], None] = lambda epoch: None
        """Called on the event loop when the database went back in time and has a new epoch, before
        anything of that epoch is published."""
        self._active_clock = ActiveClock(2 * SWEEP_INTERVAL)
        self._in_flight: list[PendingCommand] = []
        self.prepare: Callable[[Command], None] = lambda command: None
        self._writer = WriterConnection(database)
        self._ids: Ids | None = None
        self._thread = threading.Thread(target=self._write, name="hubbub-writer", daemon=True)

    def start(self) -> None:
        """Start the writer. Must be called on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Commit the queued commands, then end the writer."""
        self._stopping = True
        self._wake.put(True)
        await asyncio.to_thread(self._thread.join, 10.0)

    async def settle(self) -> None:
        """Return when the commands that are queued now are answered: at the latest after DEADLINE.

        Background commands are not waited for.
        """
        queued = (*self._in_flight, *self._waiting)
        await asyncio.sleep(0)  # a batch that was handed back before is answered after this
        while any(not each.answered and not each.command.background for each in queued):  # noqa: ASYNC110
            await asyncio.sleep(SETTLE_INTERVAL)

    @property
    def is_stopped(self) -> bool:
        """Return whether the writer has ended, so that no commit can follow."""
        return self._stopping and not self._thread.is_alive()

    def suspect(self) -> None:
        """Let the writer check soon whether the database lost commits. Any thread may call this."""
        self._suspected = True
        self._wake.put(True)

    @property
    def load(self) -> QueueLoad:
        """Return how many commands wait or are being written, and their bytes."""
        return QueueLoad(len(self._waiting) + len(self._background), len(self._in_flight), self._bytes)

    async def submit(self, command: Command[A], actor: Actor, source: object = None) -> Receipt[A]:
        """Queue a command and return its receipt after the COMMIT.

        Raises what the handler raised, Busy (the queue is full), Unavailable (the store did not
        answer in time).
        """
        future: asyncio.Future[Receipt[A]] = self._loop.create_future()
        self.enqueue(command, actor, resolver(future), source or future)
        return await future

    def enqueue(self, command: Command, actor: Actor, reply: Reply, source: object) -> None:
        """Queue a command.

        `reply` is called on the event loop after the COMMIT, or at once if the queue is full.
        """
        size = command.size()
        if self._stopping or len(self._waiting) >= self._max_commands or self._bytes + size > self._max_bytes:
            reply(Busy(retry_after=1.0))
            return
        if not self._sweeping:
            self._sweeping = True
            self._active_clock.elapsed()
            self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        self._bytes += size
        self.prepare(command)
        queued = self._background if command.background else self._waiting
        queued.append(PendingCommand(command, actor, reply, source, size, self._active_clock.seconds + DEADLINE))
        if not self._signalled:
            self._signalled = True
            self._wake.put(True)

    # --- on the event loop ---------------------------------------------------------------------------------------

    def _finish(self, batch: Batch) -> None:
        """Publish the events in log order after the COMMIT, then answer the authors."""
        self._bytes -= sum(pending.size for pending in batch.commands)
        try:
            if batch.entries:
                self._publish(batch.entries)
        finally:  # the commands are on disk even if the publication failed
            for pending in batch.commands:
                if pending.result is not None:
                    pending.answer(pending.result)
        if self._observe is not None:
            self._observe(batch)

    def _sweep(self) -> None:
        """Answer `unavailable` to commands that have waited too long.

        Those that wait will not run; those that are being written may still succeed.
        """
        waited = self._active_clock.elapsed()
        for pending in self._in_flight:
            if pending.deadline <= waited:
                pending.answer(Unavailable(_unknown(pending.command), retry_after=1.0))
        for pending in (*self._waiting, *self._background):
            if pending.deadline <= waited:
                pending.answer(Unavailable(retry_after=1.0))
        if self._waiting or self._in_flight or self._background:
            self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        else:
            self._sweeping = False

    # --- on the writer's thread ----------------------------------------------------------------------------------

    def _write(self) -> None:
        while commands := self._take():
            try:
                self._attempt(commands)
                self._writer.checkpoint()
            except Exception as error:  # a bug must not end the writer
                logger.exception("writer_stumbled", exc_info=error)
                self._writer.hang_up()
                self._fail([pending for pending in commands if pending.result is None], Internal())
            self._in_flight = []
        self._writer.close()

    def _take(self) -> list[PendingCommand]:
        """Take the waiting commands, up to the bounds of a batch.

        Blocks until there are some; empty means stop.
        """
        while True:
            if self._suspected and not self._stopping:
                self._look_again()
            commands: list[PendingCommand] = []
            self._in_flight = commands
            self._take_from(self._waiting, commands, MAX_BATCH, MAX_BATCH_BYTES)
            if self._background:  # also after a full batch, so that they do not wait for ever
                self._take_from(self._background, commands, len(commands) + MAX_BATCH, MAX_BACKGROUND_BYTES)
            if commands or self._stopping:
                return commands
            try:
                self._wake.get(timeout=self._writer.erasure_due())
            except queue.Empty:
                self._writer.checkpoint()
                continue
            self._signalled = False

    def _look_again(self) -> None:
        """Check the database on a new connection: the old one may lead to another machine."""
        self._suspected = False
        try:
            with translate_errors():
                self._writer.get()  # leaves a replaced file properly
                self._writer.hang_up()
                self._connection()
        except (Unavailable, StatementRejected) as error:  # the next batch, or the next check, tries again
            self._writer.hang_up()
            logger.warning("history_not_checked", reason=repr(error.__cause__ or error))

    def _connection(self) -> Connection:
        """Return the writer's connection to a database that contains what this process committed.

        A database that lost commits has a new epoch afterwards.
        """
        connection = self._writer.get()
        if not self._writer.is_verified:
            if self._history is not None and self._history.verify(connection):
                self._ids = None
                self._loop.call_soon_threadsafe(self.on_new_epoch, self._history.mark.epoch)
            if self._ids is not None:
                if not self._ids.hold(connection):  # another node has taken the number since the connection ended
                    self._ids = None
                connection.commit()
            self._writer.is_verified = True
        return connection

    def _take_from(self, queued: deque[PendingCommand], commands: list[PendingCommand], most: int, space: int) -> None:
        """Move queued commands to `commands`, until these are `most` or the moved ones fill `space` bytes."""
        while queued and len(commands) < most and space > 0:
            pending = queued[0]
            if pending.answered:  # its deadline passed while it waited, so it is not run
                self._hand_back(Batch([queued.popleft()]))
                continue
            commands.append(pending)  # always in one of the two lists, so that the sweep sees it
            space -= queued.popleft().size

    def _attempt(self, commands: list[PendingCommand], again: int = MAX_REPEATS) -> None:
        """Run the commands in one transaction.

        Repeats it if another node's transaction won, and halves it if one of the commands makes it
        fail.
        """
        batch = Batch(commands)
        try:
            self._transact(batch)
        except (Unavailable, OSError) as error:
            if isinstance(error, Contended) and again:
                threading.Event().wait(uniform(0, REPEAT_DELAY * 2 ** (MAX_REPEATS - again)))  # noqa: S311  not a secret
                self._attempt(commands, again - 1)
                return
            self._writer.hang_up()
            failure = error if isinstance(error, Unavailable) else Unavailable(retry_after=1.0)
            logger.warning("store_unavailable", commands=len(commands), reason=repr(error.__cause__ or error))
            self._fail(commands, failure)
            return
        except WentBack as error:
            self._writer.hang_up()
            self._suspected = True  # the check that follows begins a new epoch
            logger.warning("store_went_back", commands=len(commands), reason=str(error))
            self._fail(commands, Unavailable(retry_after=1.0))
            return
        except Exception as error:
            self._writer.hang_up()
            if len(commands) > 1:
                middle = len(commands) // 2
                self._attempt(commands[:middle])
                self._attempt(commands[middle:])
            elif isinstance(error, StatementRejected) and error.by_constraint and again:
                # Another node may have committed between our check and our write; the check sees
                # that now. Or another node makes the same ids, which loading new ones ends too.
                self._ids = None
                self._attempt(commands, 0)
            else:
                self._fail(commands, attribute_failure(commands[0], error))
            return
        self._hand_back(batch)
        for pending in batch.retries:
            self._attempt([pending])

    def _transact(self, batch: Batch) -> None:
        """Run one transaction from its locks to COMMIT.

        Raises Unavailable, or the error of the failing command.
        """
        started = monotonic()
        with translate_errors():
            connection = self._connection()
            if self._ids is None:
                self._ids = Ids.load(connection)
                connection.commit()
            now = self._clock.now()
            self._ids.tick(now)
            transaction = connection.begin()
            try:
                tx = Transaction(connection, self._ids, now)
                self._run(batch, tx)
                tx.flush()
            except BaseException:
                transaction.rollback()
                raise
            committed = self._commit(transaction)
        if not committed and not self._happened(tx):
            raise Unavailable(retry_after=1.0)
        if self._history is not None:
            self._history.committed(tx)
        if tx.erased:
            self._writer.note_erasure()
        batch.entries = tx.entries
        batch.seconds = monotonic() - started

    def _run(self, batch: Batch, tx: Transaction) -> None:
        """Lock the topics, then execute the commands run by run."""
        tx.lock(topic for pending in batch.commands for topic in pending.topics())
        if self._history is not None:
            self._history.compare(tx.heads)
        for run in group_by_kind(batch.commands):
            results = HANDLERS[type(run[0].command)]([(pending.command, pending.actor) for pending in run], tx)
            for pending, result in zip(run, results, strict=True):
                if isinstance(result, NeedsTopics):
                    if result.topics <= set(pending.topics()):
                        raise result
                    pending.extra = pending.extra | result.topics
                    batch.retries.append(pending)
                else:
                    pending.result = result if isinstance(result, HubbubError) else Receipt(result)
        if batch.retries:
            batch.commands = [pending for pending in batch.commands if pending not in batch.retries]

    def _commit(self, transaction: RootTransaction) -> bool:
        """Commit; return False if the outcome is unknown."""
        try:
            transaction.commit()
        except Exception as error:
            logger.warning("commit_unknown", reason=repr(error))
            self._writer.hang_up()
            return False
        return True

    def _happened(self, tx: Transaction) -> bool:
        """Look up in the log whether a transaction with an unknown outcome was committed.

        Waits until the store answers. Locks the last topic, so that a COMMIT that is still running
        has ended first.
        """
        if not tx.entries:
            return False
        last = tx.entries[-1]
        while True:
            try:
                with translate_errors():
                    connection = self._writer.get()
                    with connection.begin():
                        Transaction(connection, tx.ids, tx.now).lock([last.topic])
                        return log.row_at(connection, last.topic, last.seq) == tx.row
            except Unavailable:
                self._writer.hang_up()
                if self._stopping:
                    return False
                threading.Event().wait(RECONNECT)

    def _fail(self, commands: list[PendingCommand], error: HubbubError) -> None:
        for pending in commands:
            pending.result = error
        self._hand_back(Batch(commands))

    def _hand_back(self, batch: Batch) -> None:
        self._loop.call_soon_threadsafe(self._finish, batch)


def _unknown(command: Command) -> str:
    """Return what to say about a command that may have been done."""
    return OUTCOME_UNKNOWN if getattr(command, "key", None) is None else OUTCOME_BY_KEY
