"""`hubbub` with guarantees broken or parts slowed, for negative controls.

The environment variable BROKEN names the faults. The product has no switch for any of this. If a
control starts a broken server and finds no violation, its test is blind. Run as `python -m
tests.support.broken_server serve …`. With no fault it only enters the network namespace of its
environment, if there is one (`namespace.py`).
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RootTransaction

from hubbub import workers
from hubbub.bus.remote import RemoteBus
from hubbub.cli import main
from hubbub.clock import Clock
from hubbub.delivery.fanout import Fanout
from hubbub.domain import rules
from hubbub.domain.commands import SendMessage, SettingCommand
from hubbub.domain.model import Membership
from hubbub.engine import guests, positioning
from hubbub.engine.answers import UnreadAnswers
from hubbub.engine.batch import Batch
from hubbub.engine.history import History
from hubbub.engine.journal import Journal
from hubbub.engine.limits import Limits
from hubbub.engine.live_connections import ConnectionHub, LiveConnection
from hubbub.engine.ordered_entries import OrderedEntries
from hubbub.engine.passwords import Passwords
from hubbub.features import sync
from hubbub.features.shared import pages
from hubbub.features.sync import Snapshot
from hubbub.gateways.plain import gateway as plain_gateway
from hubbub.gateways.websocket.admission import AdmissionControl
from hubbub.storage import database, epochs, facts, log, members, postgresql, restore
from hubbub.storage.backup_format import Reader
from hubbub.storage.epochs import Commit
from hubbub.storage.facts import RoomFacts
from hubbub.storage.postgresql_lock import PostgresLock
from hubbub.storage.transaction import Head, Transaction
from tests.deletion import undone
from tests.support import namespace

WINDOW = 0.03
"""Seconds between the early answer and the COMMIT.

Wide enough for the first kills to hit.
"""


def answer_before_commit(tell: str) -> None:
    """Answer (`ack`) or publish (`publish`) while the transaction is still open."""
    run, commit, finish = Journal._run, Journal._commit, Journal._finish
    open_transactions: dict[Journal, tuple[Batch, Transaction]] = {}

    def remembering_run(self: Journal, batch: Batch, tx: Transaction) -> None:
        run(self, batch, tx)
        open_transactions[self] = (batch, tx)

    def early_commit(self: Journal, transaction: RootTransaction) -> bool:
        batch, tx = open_transactions[self]
        if is_broken(batch):
            self._loop.call_soon_threadsafe(answer_early, self, batch, list(tx.entries))
            time.sleep(WINDOW)
        return commit(self, transaction)

    def answer_early(self: Journal, batch: Batch, entries: list[Any]) -> None:
        if tell == "publish":
            self._publish(entries)
        else:
            for work in batch.commands:
                if work.result is not None:
                    work.answer(work.result)

    def late_finish(self: Journal, batch: Batch) -> None:
        if tell == "publish" and is_broken(batch):
            batch.entries = []
        finish(self, batch)

    def is_broken(batch: Batch) -> bool:
        """Return True if the batch only sends messages and changes settings.

        Without accounts and rooms there is nothing to test.
        """
        return all(isinstance(work.command, SendMessage | SettingCommand) for work in batch.commands)

    Journal._run = remembering_run  # type: ignore[method-assign]
    Journal._commit = early_commit  # type: ignore[method-assign]
    Journal._finish = late_finish  # type: ignore[method-assign]


def never_sync() -> None:
    """Let SQLite hand its writes to the kernel without waiting for the disk."""
    pragmas = database._pragmas

    def without_sync(driver: Any, _record: Any) -> None:
        pragmas(driver, _record)
        driver.execute("PRAGMA synchronous=OFF")

    database._pragmas = without_sync


def keep_subscribed() -> None:
    """Keep users subscribed to a topic until the connection ends."""
    Fanout.leave = lambda self, connection, name: None  # type: ignore[method-assign]


def skip_events_since_snapshot() -> None:
    """Subscribe by the snapshot alone, without events published since; take extra time."""
    slow_greeting()
    fold = ConnectionHub._subscribe

    def fold_nothing(self: ConnectionHub, live: LiveConnection, snapshot: Snapshot) -> dict[str, int]:
        live.greeting = []
        return fold(self, live, snapshot)

    ConnectionHub._subscribe = fold_nothing  # type: ignore[method-assign]


def drop_locks() -> None:
    """Open and close SQLite's wal-index between two batches.

    The process loses its locks on it.
    """
    checkpoint = database.WriterConnection.checkpoint

    def looking(self: database.WriterConnection) -> None:
        Path(f"{self._database.path}-shm").read_bytes()
        checkpoint(self)

    database.WriterConnection.checkpoint = looking  # type: ignore[method-assign]


def slow_greeting() -> None:
    """Slow down the reads of a greeting so that more happens meanwhile; breaks nothing."""
    snapshot, gap = sync.snapshot, sync.gap

    def slow_snapshot(*args: Any, **kwargs: Any) -> Any:
        found = snapshot(*args, **kwargs)
        time.sleep(WINDOW / 3)
        return found

    def slow_gap(*args: Any, **kwargs: Any) -> Any:
        time.sleep(WINDOW)
        return gap(*args, **kwargs)

    sync.snapshot, sync.gap = slow_snapshot, slow_gap


def keep_epoch() -> None:
    """Restore a database without a new epoch."""
    put_back = restore.restore

    def keeping(reader: Reader, *args: Any, **options: Any) -> str | None:
        return put_back(reader, *args, **{**options, "epoch": reader.manifest.epoch})

    restore.restore = keeping


def never_look_back() -> None:
    """Trust every database to contain what was committed, at start and on new connections."""

    def seen(connection: Connection, commit: Commit | None) -> tuple[str, bool]:
        return log.epoch(connection), True

    def cluster(connection: Connection) -> str | None:
        return None

    epochs.seen, epochs._cluster = seen, cluster
    History.compare = lambda self, heads: None  # type: ignore[method-assign]


def wait_for_ever() -> None:
    """Report no unresponsive database, and close no connection to it."""
    postgresql.ANSWER_TIMEOUT = float("inf")
    Journal._sweep = lambda self: None  # type: ignore[method-assign]


def remember_heads() -> None:
    """Read the head of a log once; from then on this server counts by itself."""
    lock = Transaction.lock
    known: dict[str, Head] = {}

    def caching(self: Transaction, wanted: Iterable[str]) -> None:
        lock(self, wanted)
        for topic, head in self.heads.items():
            self.heads[topic] = known.setdefault(topic, head)

    Transaction.lock = caching  # type: ignore[method-assign]


def remember_members() -> None:
    """Cache the permission to write."""
    of_posts = facts.of_posts
    known: dict[tuple[int, int], Membership] = {}

    def caching(tx: Transaction, asked: Sequence[tuple[int, int, str]]) -> list[RoomFacts]:
        found = of_posts(tx, asked)
        known.update({each[:2]: fact.own for each, fact in zip(asked, found, strict=True) if fact.own is not None})
        return [fact._replace(own=known.get(each[:2])) for each, fact in zip(asked, found, strict=True)]

    facts.of_posts = caching


def remember_readers() -> None:
    """Cache memberships for reads."""
    find = members.find
    known: dict[tuple[int, int], Membership] = {}

    def caching(connection: Connection, room: int, user: int) -> Membership | None:
        found = find(connection, room, user)
        return known.get((room, user)) if found is None else known.setdefault((room, user), found)

    members.find = caching


def share_database() -> None:
    """Allow two servers on one PostgreSQL, as a bus will.

    Lower layers must hold for both.
    """
    PostgresLock.acquire = lambda self: None  # type: ignore[method-assign]


def slow_commit() -> None:
    """Take a second for each COMMIT of messages; breaks nothing."""
    commit = Journal._commit

    def slow(self: Journal, transaction: RootTransaction) -> bool:
        if any(isinstance(pending.command, SendMessage) for pending in self._in_flight):
            time.sleep(1.0)
        return commit(self, transaction)

    Journal._commit = slow  # type: ignore[method-assign]


def silent_commit() -> None:
    """Commit messages, and neither answer nor publish them."""
    hand_back = Journal._hand_back

    def silent(self: Journal, batch: Batch) -> None:
        if not any(isinstance(pending.command, SendMessage) for pending in batch.commands):
            hand_back(self, batch)

    Journal._hand_back = silent  # type: ignore[method-assign]


def hasty_end() -> None:
    """Close connections at SIGTERM without waiting for what is being written."""

    async def settle(self: Journal) -> None:
        pass

    Journal.settle = settle  # type: ignore[method-assign]


def deaf() -> None:
    """Ignore all messages of the bus."""
    RemoteBus._handle = lambda self, payload: None  # type: ignore[method-assign]


def mute() -> None:
    """Send no signals to other nodes."""
    RemoteBus.signal = lambda self, kind, content, topic=None: None  # type: ignore[method-assign]


def quick_guests() -> None:
    """Look for guests without a connection once a second; breaks nothing."""
    guests.INTERVAL, guests.SETTLED = 1.0, 0


def trust_silence() -> None:
    """Take nodes that are not heard for dead."""

    async def hears_all(services: object) -> bool:
        return True

    guests.hears_all = hears_all


def no_positions() -> None:
    """Compare no topics with the log after the start, and read no gaps."""
    OrderedEntries.check = lambda self, topics: None  # type: ignore[method-assign]
    positioning.STEP = float("inf")


def quick_positions() -> None:
    """Compare topics with the log once a second; breaks nothing."""
    positioning.INTERVAL = 1.0


def kill_workers() -> None:
    """Kill all workers when the parent is told to stop."""

    def kill(self: workers.Supervisor, code: int) -> None:
        self._stopping, self._code = True, code
        for child in self._children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)

    workers.Supervisor._stop = kill  # type: ignore[method-assign]
    workers.ENDED_WELL = (*workers.ENDED_WELL, -signal.SIGKILL)


def short_lived() -> None:
    """Let a worker end as soon as it serves and has its orders."""
    obey = workers.Worker._obey

    async def obey_and_end(self: workers.Worker, message: bytes, stop: asyncio.Event) -> bytes | None:
        order = await obey(self, message, stop)
        if message == workers.SERVING:
            os._exit(7)
        return order

    workers.Worker._obey = obey_and_end  # type: ignore[method-assign]


def impatient_parent() -> None:
    """Start workers again soon; breaks nothing."""
    workers.FIRST_DELAY = 0.01


def hour_ahead() -> None:
    """Let the time of day be an hour ahead; breaks nothing."""
    now = Clock.now
    Clock.now = lambda self: now(self) + 3_600_000  # type: ignore[method-assign]


def keep_idle() -> None:
    """Evict no connection that waits for its client."""
    AdmissionControl.make_room = lambda self, network, elsewhere=0: False  # type: ignore[method-assign]


def send_all() -> None:
    """Send pages of any size, and any number of them."""
    pages.MAX_PAGE_BYTES = 2**30  # type: ignore[attr-defined]
    UnreadAnswers.has_room = lambda self, user: True  # type: ignore[method-assign]


def admit_guests() -> None:
    """Count no guests by network."""
    plain_gateway.GUESTS_PER_NETWORK = 2**30
    Limits.attempt = Limits.guest_sends = lambda self, address: None  # type: ignore[method-assign]


def one_queue() -> None:
    """Queue the passwords of all networks in one line."""
    verify = Passwords.verify

    async def as_one(self: Passwords, stored: str | None, password: str, place: str = "") -> bool:
        return await verify(self, stored, password)

    Passwords.verify = as_one  # type: ignore[method-assign]


def rank_all_as_staff() -> None:
    """Give every user the rank of staff in the management of members."""
    rules.rank = lambda actor, room: rules.STAFF_RANK


FAULTS = {
    **undone.FAULTS,
    "ack-before-commit": lambda: answer_before_commit("ack"),
    "publish-before-commit": lambda: answer_before_commit("publish"),
    "synchronous-off": never_sync,
    "keep-subscribed": keep_subscribed,
    "drop-locks": drop_locks,
    "slow-greeting": slow_greeting,
    "wait-for-ever": wait_for_ever,
    "remember-heads": remember_heads,
    "remember-members": remember_members,
    "remember-readers": remember_readers,
    "hello-without-fold": skip_events_since_snapshot,
    "keep-epoch": keep_epoch,
    "never-look-back": never_look_back,
    "share-database": share_database,
    "slow-commit": slow_commit,
    "silent-commit": silent_commit,
    "hasty-end": hasty_end,
    "deaf": deaf,
    "mute": mute,
    "no-positions": no_positions,
    "quick-guests": quick_guests,
    "quick-positions": quick_positions,
    "kill-workers": kill_workers,
    "short-lived": short_lived,
    "impatient-parent": impatient_parent,
    "trust-silence": trust_silence,
    "hour-ahead": hour_ahead,
    "rank-all-as-staff": rank_all_as_staff,
    "keep-idle": keep_idle,
    "send-all": send_all,
    "admit-guests": admit_guests,
    "one-queue": one_queue,
}

if __name__ == "__main__":
    namespace.enter_own()
    for fault in os.environ["BROKEN"].split():
        FAULTS[fault]()
    main()
