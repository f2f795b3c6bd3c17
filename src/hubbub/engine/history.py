"""What this process has committed, to notice a database that went back in time while it runs.

`storage.epochs` says what a loss is. Every new connection of the writer is checked before its first
transaction: a failover and a replaced file need one. Every transaction compares the heads it locks
with those this process wrote.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection

from hubbub.storage import epochs
from hubbub.storage.epochs import Commit, Mark, WentBack
from hubbub.storage.transaction import Head, Transaction

MAX_HEADS = 50_000
"""Heads that are remembered. The newest commit alone is a proof; they notice a loss earlier."""


class History:
    """The history of one process.

    Must be used on the writer's thread, except for `mark`.
    """

    def __init__(self, mark: Mark, new_epoch: Callable[[], str], *, alone: bool = True) -> None:
        self._run = mark.run
        self._alone = alone
        """Whether no other node can have begun a new epoch."""
        self._number = mark.number
        self._state: tuple[str, tuple[int, str, int] | None] = (mark.epoch, mark.commit)
        """The epoch and the newest commit. Replaced as a whole, so that any thread can read it."""
        self._new_epoch = new_epoch
        self._heads: dict[str, int] = {}
        self._loss: str | None = None

    @property
    def mark(self) -> Mark:
        """Return what this process knows of the database."""
        epoch, newest = self._state
        return Mark(epoch, self._run, None if newest is None else Commit(*newest), number=self._number)

    def write(self, data: Path, mark: Mark) -> None:
        """Write the high-water mark of the data folder."""
        epochs.write(data, mark, alone=self._alone)

    def close(self, data: Path) -> None:
        """Write the last high-water mark, after the journal has ended."""
        epochs.close(data, self.mark, alone=self._alone)

    def verify(self, connection: Connection) -> bool:
        """Check that the database contains what this process committed.

        Otherwise begin a new epoch, or adopt the one that another node has begun, and return True.
        Raises what the store raises.
        """
        with connection.begin():
            epoch, complete = epochs.seen(connection, self.mark.commit)
            loss = self._loss
            if loss is None and not complete:
                loss = "older_than_this_process"
            if loss is None and epoch != self.mark.epoch:
                loss = "another_epoch"
            if loss is not None:
                epoch, loss = self._begin(connection, loss)
            epochs.note_cluster(connection)
        if loss is None:
            return False
        epochs.tell(loss, epoch)
        self._state = epoch, None  # without a commit, the epoch is the proof
        self._heads.clear()
        self._loss = None
        return True

    def _begin(self, connection: Connection, loss: str) -> tuple[str, str]:
        """Begin an epoch because of a loss, or adopt a later one; return the epoch and the reason."""
        if not self._alone:
            epoch, number = epochs.lock(connection)
            if number > self._number and epoch != self.mark.epoch:
                self._number = number
                return epoch, "adopted"
        epoch = self._new_epoch()
        self._number = epochs.change(connection, epoch, self._number)
        return epoch, loss

    def compare(self, heads: Mapping[str, Head]) -> None:
        """Compare the heads a transaction has locked with those written. Raises WentBack."""
        known = self._heads
        for topic, head in heads.items():
            if head.seq < known.get(topic, 0):
                self._loss = f"{topic} ends at {head.seq}, this process wrote {known[topic]}"
                raise WentBack(self._loss)

    def committed(self, tx: Transaction) -> None:
        """Note a transaction that was committed."""
        if tx.newest is None:
            return
        self._state = self._state[0], tx.newest
        if len(self._heads) > MAX_HEADS:
            self._heads.clear()
        for entry in tx.entries:
            self._heads[entry.topic] = entry.seq
