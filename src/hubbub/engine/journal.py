"""The one write path: queue → batch → transaction → COMMIT → publication and answers.

One writer thread takes everything that waits, runs it in one transaction, commits once (with fsync), and hands the
whole batch back to the event loop with a single call. Under load the batch grows by itself; when idle a batch is one
command and waits for nothing.

* Nobody gets an answer, and nobody sees an event, before the COMMIT that stores it has returned.
* A batch keeps the order of each source's commands, not more, so that commands of one kind form one run.
* If the store refuses a statement, the batch is rolled back and halved until the command to blame stands alone.
* If another node's transaction won against ours (a deadlock), ours is run again, a few times.
* If the store does not answer, the whole batch is `unavailable`. A COMMIT whose outcome is unknown is looked up in the
  log before anything is said about it.
* Whoever waits longer than DEADLINE seconds is told `unavailable`; a retry with the same key finds out what happened.
  Seconds in which the event loop itself stands still say nothing about the store, and hardly count.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from random import uniform
from time import monotonic

import structlog
from sqlalchemy import RootTransaction

from hubbub.clock import Clock
from hubbub.domain.commands import Command
from hubbub.domain.errors import Busy, Forbidden, HubbubError, Internal, NeedsTopics, Unavailable
from hubbub.domain.model import Actor, Role
from hubbub.engine.batch import (
    Batch,
    DirtyRefusal,
    PendingCommand,
    Publish,
    QueueLoad,
    Receipt,
    Reply,
    attribute_failure,
    group_by_kind,
    resolver,
)
from hubbub.features import BULK, HANDLERS
from hubbub.storage import accounts, log
from hubbub.storage.active_time import ActiveClock
from hubbub.storage.database import Database, WriterConnection
from hubbub.storage.db_errors import Contended, StatementRejected, translate_errors
from hubbub.storage.ids import Ids
from hubbub.storage.transaction import Transaction

MAX_BATCH = 1_000
MAX_BATCH_BYTES = 256 * 1024
DEADLINE = 1.75
LOOK = 0.1
RECONNECT = 0.25
REPEATS, REPEAT = 4, 0.01

logger = structlog.get_logger(__name__)


class Journal:
    """Started and stopped by the composition root; `submit` and `enqueue` are for the event loop's thread."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        publish: Publish,
        *,
        max_commands: int = 10_000,
        max_bytes: int = 16 * 2**20,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        self._clock, self._publish, self._observe = clock, publish, observe
        self._max_commands, self._max_bytes = max_commands, max_bytes
        self._waiting: deque[PendingCommand] = deque()
        self._bytes = 0
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._signalled = self._sweeping = self._stopping = False
        self._waited = ActiveClock(2 * LOOK)
        self._flying: list[PendingCommand] = []
        self.prepare: Callable[[Command], None] = lambda command: None
        self._line = WriterConnection(database)
        self._ids: Ids | None = None
        self._thread = threading.Thread(target=self._write, name="hubbub-writer", daemon=True)

    def start(self) -> None:
        """Starts the writer; must be called on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Finishes what is queued, then ends the writer."""
        self._stopping = True
        self._wake.put(True)
        await asyncio.to_thread(self._thread.join, 10.0)

    @property
    def load(self) -> QueueLoad:
        """What there is to do."""
        return QueueLoad(len(self._waiting), len(self._flying), self._bytes)

    async def submit(self, command: Command, actor: Actor, source: object = None) -> Receipt:
        """Queues a command; its receipt comes after the COMMIT. Raises what its handler raised, Busy, Unavailable."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self.enqueue(command, actor, resolver(future), source or future)
        return await future

    def enqueue(self, command: Command, actor: Actor, reply: Reply, source: object) -> None:
        """The same with a callback, which is called on the event loop, at once if the queue is full."""
        size = command.size()
        if self._stopping or len(self._waiting) >= self._max_commands or self._bytes + size > self._max_bytes:
            reply(Busy(retry_after=1.0))
            return
        if not self._sweeping:
            self._sweeping = True
            self._waited.elapsed()
            self._loop.call_later(LOOK, self._sweep)
        self._bytes += size
        self.prepare(command)
        self._waiting.append(PendingCommand(command, actor, reply, source, size, self._waited.seconds + DEADLINE))
        if not self._signalled:
            self._signalled = True
            self._wake.put(True)

    # --- on the event loop ---------------------------------------------------------------------------------------

    def _finish(self, batch: Batch) -> None:
        """After the COMMIT: publishes the events in log order, then answers the authors."""
        self._bytes -= sum(work.size for work in batch.commands)
        try:
            if batch.entries:
                self._publish(batch.entries)
        finally:  # it is on disk, whatever became of the publication
            for work in batch.commands:
                if work.result is not None:
                    work.answer(work.result)
        if self._observe is not None:
            self._observe(batch)

    def _sweep(self) -> None:
        """Tells those who have waited too long that the store does not answer."""
        waited = self._waited.elapsed()
        for work in (*self._flying, *self._waiting):
            if work.deadline <= waited:
                work.answer(Unavailable(retry_after=1.0))
        if self._waiting or self._flying:
            self._loop.call_later(LOOK, self._sweep)
        else:
            self._sweeping = False

    # --- on the writer's thread ----------------------------------------------------------------------------------

    def _write(self) -> None:
        while works := self._take():
            try:
                self._attempt(works)
                self._line.checkpoint()
            except Exception as error:  # a bug, or a checkpoint that failed: the writer must live
                logger.exception("writer_stumbled", exc_info=error)
                self._line.hang_up()
                self._fail([work for work in works if work.result is None], Internal())
            self._flying = []
        self._line.hang_up()

    def _take(self) -> list[PendingCommand]:
        """Everything that waits, up to the bounds of a batch; blocks while there is nothing. Empty means stop."""
        while True:
            works: list[PendingCommand] = []
            self._flying = works
            size = 0
            while self._waiting and len(works) < MAX_BATCH and size < MAX_BATCH_BYTES:
                work = self._waiting[0]
                if work.answered:  # gave up waiting before its turn: not run at all
                    self._hand_back(Batch([self._waiting.popleft()]))
                    continue
                works.append(work)  # in one list or the other at any time, so that the sweep sees it
                size += self._waiting.popleft().size
            if works or self._stopping:
                return works
            self._wake.get()
            self._signalled = False

    def _attempt(self, works: list[PendingCommand], again: int = REPEATS) -> None:
        """Runs works in one transaction; repeats it where another node won, halves it where one of them spoils it."""
        batch = Batch(works)
        try:
            self._transact(batch)
        except (Unavailable, OSError) as error:
            if isinstance(error, Contended) and again:
                threading.Event().wait(uniform(0, REPEAT * 2 ** (REPEATS - again)))  # noqa: S311  not a secret
                self._attempt(works, again - 1)
                return
            self._line.hang_up()
            failure = error if isinstance(error, Unavailable) else Unavailable(retry_after=1.0)
            logger.warning("store_unavailable", works=len(works), reason=repr(error.__cause__ or error))
            self._fail(works, failure)
            return
        except Exception as error:
            self._line.hang_up()
            if len(works) > 1:
                middle = len(works) // 2
                self._attempt(works[:middle])
                self._attempt(works[middle:])
            elif isinstance(error, StatementRejected) and error.by_constraint and again:
                # Another node may have committed between our check and our write: now the check sees it. Or it makes
                # the same ids, which this ends too.
                self._ids = None
                self._attempt(works, 0)
            else:
                self._fail(works, attribute_failure(works[0], error))
            return
        self._hand_back(batch)
        for work in batch.retries:
            self._attempt([work])

    def _transact(self, batch: Batch) -> None:
        """One transaction from locks to COMMIT. Raises Unavailable, or whatever spoiled it."""
        started = monotonic()
        with translate_errors():
            connection = self._line.get()
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
        batch.entries = tx.entries
        batch.seconds = monotonic() - started

    def _run(self, batch: Batch, tx: Transaction) -> None:
        """Locks first; then the works, run by run."""
        tx.lock(topic for work in batch.commands for topic in work.topics())
        for run in group_by_kind(batch.commands):
            kind = type(run[0].command)
            if kind in BULK:
                results = BULK[kind]([(work.command, work.actor) for work in run], tx)
                for work, result in zip(run, results, strict=True):
                    work.result = result if isinstance(result, HubbubError) else Receipt(result)
            else:
                for work in run:
                    self._run_one(work, batch, tx)
        if batch.retries:
            batch.commands = [work for work in batch.commands if work not in batch.retries]

    def _run_one(self, work: PendingCommand, batch: Batch, tx: Transaction) -> None:
        writes = tx.writes
        try:
            actor = work.actor
            if not (actor.system or actor.role is Role.GUEST or accounts.is_open(tx.connection, actor.id)):
                raise Forbidden("This account is closed.")  # since he was recognised
            work.result = Receipt(HANDLERS[type(work.command)](work.command, work.actor, tx))
        except HubbubError as error:
            if tx.writes != writes:
                raise DirtyRefusal from error
            work.result = error
        except NeedsTopics as needs:
            if tx.writes != writes or needs.topics <= set(work.topics()):
                raise
            work.extra = work.extra | needs.topics
            batch.retries.append(work)

    def _commit(self, transaction: RootTransaction) -> bool:
        """COMMIT; False if its outcome is unknown."""
        try:
            transaction.commit()
        except Exception as error:
            logger.warning("commit_unknown", reason=repr(error))
            self._line.hang_up()
            return False
        return True

    def _happened(self, tx: Transaction) -> bool:
        """Looks up in the log whether a transaction with an unknown COMMIT is there; waits until the store answers.

        The topics are locked for it, so that a COMMIT that is still under way has ended one way or the other.
        """
        if not tx.entries:
            return False
        last = tx.entries[-1]
        while True:
            try:
                with translate_errors():
                    connection = self._line.get()
                    with connection.begin():
                        Transaction(connection, tx.ids, tx.now).lock([last.topic])
                        return log.row_at(connection, last.topic, last.seq) == tx.mark
            except Unavailable:
                self._line.hang_up()
                if self._stopping:
                    return False
                threading.Event().wait(RECONNECT)

    def _fail(self, works: list[PendingCommand], error: HubbubError) -> None:
        for work in works:
            work.result = error
        self._hand_back(Batch(works))

    def _hand_back(self, batch: Batch) -> None:
        self._loop.call_soon_threadsafe(self._finish, batch)
