"""Connects the parts of a running server to the metrics.

Values that their owner keeps are read when Prometheus scrapes; everything else is counted once per
batch.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hubbub.bus.remote import RemoteBus
from hubbub.domain.errors import Unavailable
from hubbub.domain.events import MessageSent
from hubbub.engine.batch import Batch
from hubbub.engine.follower_runner import Kind
from hubbub.engine.services import Services
from hubbub.metrics import Metrics

if TYPE_CHECKING:
    from hubbub.engine.host_outbox import Counts


def observer(metrics: Metrics) -> Callable[[Batch], None]:
    """Return the callback for finished batches, whatever their outcome."""
    failing = False

    def observe(batch: Batch) -> None:
        nonlocal failing
        sent = sum(type(entry.event) is MessageSent for entry in batch.entries)
        if sent:
            metrics.messages.inc(sent)
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
    """Make the metrics report about these services."""
    _watch_delivery(services)
    _watch_database(services)
    _watch_followers(services)
    if isinstance(services.bus, RemoteBus):
        _watch_bus(services, services.bus)


def _watch_delivery(services: Services) -> None:
    metrics, registry, limits = services.metrics, services.fanout, services.limits

    def sizes() -> Iterator[int]:
        return (connection.buffered() for connection in registry.connections)

    metrics.counter("deliveries", "Messages handed to connections.", lambda: registry.deliveries)
    metrics.counter("writes", "Writes to connections, each of one or more messages.", lambda: registry.writes)
    metrics.gauge("outbox_bytes", "Bytes that wait for slow clients.", lambda: sum(sizes()))
    metrics.gauge("outbox_largest_bytes", "Bytes that wait for the slowest client.", lambda: max(sizes(), default=0))
    metrics.counter("rate_limited", "Requests refused by a rate limit.", lambda: limits.refused, "bucket")
    services.metrics.connections.labels(state="events").set_function(lambda: len(services.streams))
    limit = float(services.settings.connections_limit)
    metrics.gauge("connections_limit", "The maximum number of connections of all kinds.", lambda: limit)


def _watch_database(services: Services) -> None:
    metrics, journal, database = services.metrics, services.journal, services.database

    def errors() -> Mapping[str, float]:
        return {"writer": metrics.failed_batches, "reader": database.failed_reads}

    def commands() -> Mapping[str, float]:
        return {"waiting": journal.load.waiting, "writing": journal.load.writing}

    metrics.gauge("journal_commands", "Commands that wait or are being committed.", commands, "state")
    metrics.gauge("journal_bytes", "Size of these commands in bytes.", lambda: journal.load.bytes)
    metrics.gauge("reads", "Queries that wait or run in the readers' threads.", lambda: _named(database.reads), "state")
    metrics.gauge("wal_bytes", "Size of SQLite's write-ahead log; 0 on PostgreSQL.", database.wal_bytes)
    metrics.counter("database_errors", "Times the database did not respond.", errors, "thread")


def _watch_followers(services: Services) -> None:
    """Report followers by kind: `webhook`, not `webhook:12`, since there can be many."""
    metrics, followers = services.metrics, services.followers
    metrics.gauge(
        "follower_behind_entries", "Entries not handled yet, at the last comparison.", followers.behind, "kind"
    )
    metrics.gauge("follower_oldest_seconds", "Age of the oldest entry not handled yet.", followers.oldest, "kind")
    counters: dict[str, tuple[str, Callable[[Kind], int]]] = {
        "follower_handled": ("Entries that followers have handled.", lambda kind: kind.handled),
        "follower_failures": ("Failed attempts of followers.", lambda kind: kind.failed),
        "follower_dead_letters": ("Entries that became dead letters.", lambda kind: kind.dead_letters),
    }
    for name, (meaning, value) in counters.items():
        metrics.counter(name, meaning, partial(followers.counted, value), "kind")


def _watch_bus(services: Services, bus: RemoteBus) -> None:
    metrics, counts = services.metrics, bus.counts
    metrics.gauge("bus_connected", "1 while the bus carries messages, 0 during an outage.", lambda: bus.connected)
    metrics.counter("bus_connects", "Times the bus was connected.", lambda: counts.connects)

    def messages() -> Mapping[str, float]:
        return {
            "sent": counts.sent, "received": counts.received, "dropped": counts.dropped, "ignored": counts.ignored,
        }  # fmt: skip

    metrics.counter("bus_messages", "Messages of the bus, by what became of them.", messages, "outcome")
    hub = services.hub
    metrics.counter("bus_repairs", "Topics found behind the log by a comparison.", lambda: hub.repaired)


def attach_outbox(metrics: Metrics, counts: "Counts") -> None:
    """Report the posts that are taken over from the host application's outbox."""

    def posts() -> Mapping[str, float]:
        return {"posted": counts.posted, "dead": counts.dead}

    metrics.counter("outbox_posts", "Rows of the outbox, by what became of them.", posts, "outcome")
    metrics.counter("outbox_failures", "Times the host's database did not respond.", lambda: counts.failures)
    metrics.gauge("outbox_oldest_seconds", "Age of the oldest row, at the last look.", lambda: counts.oldest)


def _named(reads: tuple[int, int]) -> Mapping[str, float]:
    waiting, running = reads
    return {"waiting": waiting, "running": running}
