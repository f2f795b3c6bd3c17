"""What of a running server is measured: wires its parts to the metrics. Decides nothing, and is asked by nobody.

What can be read from its owner is read when Prometheus asks; what has to be counted is counted once a batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from hubbub.domain.errors import Unavailable
from hubbub.domain.events import Entry, MessageSent
from hubbub.engine.batch import Batch
from hubbub.engine.services import Services
from hubbub.metrics import Metrics


def observer(metrics: Metrics) -> Callable[[Batch], None]:
    """To be told of every batch once it is done, whatever became of it."""
    failing = False

    def observe(batch: Batch) -> None:
        nonlocal failing
        if batch.seconds:
            metrics.batch_commands.observe(len(batch.commands))
            metrics.commit_seconds.observe(batch.seconds)
            if failing:
                failing = False
                metrics.database_recoveries.inc()
        elif any(isinstance(work.result, Unavailable) for work in batch.commands):
            failing = True
            metrics.failed_batches += 1

    return observe


def attach(services: Services) -> None:
    """From now on the metrics tell of these services."""
    services.hub.watch(_counter(services.metrics))
    _watch_delivery(services)
    _watch_database(services)


def _counter(metrics: Metrics) -> Callable[[Sequence[Entry]], None]:
    def count(entries: Sequence[Entry]) -> None:
        sent = sum(type(entry.event) is MessageSent for entry in entries)
        if sent:
            metrics.messages.inc(sent)

    return count


def _watch_delivery(services: Services) -> None:
    metrics, registry, limits = services.metrics, services.fanout, services.limits

    def sizes() -> Iterator[int]:
        return (connection.buffered() for connection in registry.connections)

    metrics.counter("deliveries", "Messages handed to connections.", lambda: registry.deliveries)
    metrics.counter("writes", "Writes to connections, each of one or more messages.", lambda: registry.writes)
    metrics.gauge("outbox_bytes", "Bytes that wait for slow readers.", lambda: sum(sizes()))
    metrics.gauge("outbox_largest_bytes", "Bytes that wait for the slowest reader.", lambda: max(sizes(), default=0))
    metrics.counter("rate_limited", "What was refused for coming too often.", lambda: limits.refused, "bucket")
    limit = float(services.settings.connections_limit)
    metrics.gauge("connections_limit", "Connections of every kind that are let in at most.", lambda: limit)


def _watch_database(services: Services) -> None:
    metrics, journal, database = services.metrics, services.journal, services.database

    def errors() -> Mapping[str, float]:
        return {"writer": metrics.failed_batches, "reader": database.failed_reads}

    def commands() -> Mapping[str, float]:
        return {"waiting": journal.load.waiting, "writing": journal.load.writing}

    metrics.gauge("journal_commands", "Commands on their way to the disk.", commands, "state")
    metrics.gauge("journal_bytes", "Their size.", lambda: journal.load.bytes)
    metrics.gauge("reads", "Queries for the readers' threads.", lambda: _named(database.reads), "state")
    metrics.gauge("wal_bytes", "Size of SQLite's write-ahead log; 0 on PostgreSQL.", database.wal_bytes)
    metrics.counter("database_errors", "Times the database did not answer.", errors, "thread")


def _named(reads: tuple[int, int]) -> Mapping[str, float]:
    waiting, running = reads
    return {"waiting": waiting, "running": running}
