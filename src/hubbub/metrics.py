"""Metrics for Prometheus: one registry per server, also within one process.

Values that exist anyway (deliveries, queue lengths) are read at a scrape, and cost nothing before.
docs/operations.md explains each metric to operators.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hubbub.clock import Clock
from hubbub.version import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
REQUEST_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LAG_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STALL = 0.1
"""Seconds of event loop delay that count as a stall."""
LONG_STALL = 0.25
"""Seconds of event loop delay that are logged."""
STATES = ("unauthenticated", "live", "plain", "asgi", "events")
CLOSE_REASONS = {
    1000: "normal", 1001: "normal", 1002: "protocol", 1003: "protocol", 1005: "normal", 1006: "lost", 1007: "protocol",
    1008: "flooding", 1009: "too_large", 1011: "internal", 4000: "going_away", 4008: "slow", 4009: "too_many",
    4501: "not_authenticated", 4502: "name_taken", 4503: "session_ended", 4510: "banned",
}  # fmt: skip

Read = Callable[[], float | Mapping[str, float]]
"""A value, or one per value of a label."""


@dataclass(frozen=True, slots=True)
class Source:
    """A metric that is read from its owner."""

    kind: Literal["gauge", "counter"]
    name: str
    text: str
    read: Read
    label: str | None

    def collect(self) -> Metric:
        labels = [self.label] if self.label is not None else []
        if self.kind == "gauge":
            family: GaugeMetricFamily | CounterMetricFamily = GaugeMetricFamily(self.name, self.text, labels=labels)
        else:
            family = CounterMetricFamily(self.name, self.text, labels=labels)
        value = self.read()
        if isinstance(value, Mapping):
            for name, labelled in value.items():
                family.add_metric([name], labelled)
        else:
            family.add_metric([], value)
        return family


class Page(CollectorRegistry):
    """The scraped page: values read from their owners, then counters.

    Without the `_created` series that the client library adds to everything: they would double the
    size.
    """

    def __init__(self, read: Sequence[Metric], counted: CollectorRegistry) -> None:
        super().__init__()
        self._read = read
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        yield from self._read
        for family in self._counted.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class Metrics:
    """The server's metrics. Usable from the writer's thread and from the event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._sources: list[Source] = []
        self.gauge("info", "Always 1; the label has the version.", lambda: {__version__: 1}, "version")
        self._make_connection_metrics()
        self._make_http_metrics()
        self._make_journal_metrics()
        self._make_loop_metrics()

    def _make_connection_metrics(self) -> None:
        self.connections = self._new_gauge("connections", "Open WebSocket connections.", "state")
        for state in STATES:
            self.connections.labels(state=state)
        self._disconnects = self._new_counter("disconnects", "Closed WebSocket connections.", "code", "reason")
        for code in (4008, 4503):  # present as 0 before the first event, so that alerts can refer to them
            self._disconnects.labels(code=str(code), reason=CLOSE_REASONS[code])
        self.connections_refused = self._new_counter(
            "connections_refused", "Connections rejected before the upgrade or the request.", "status"
        )

        self.connections_evicted = self._new_counter(
            "connections_evicted",
            "Connections ended for a client of another network when all slots were taken.",
            "kind",
        )
        for kind in ("http", "websocket"):
            self.connections_evicted.labels(kind=kind)

    def _make_http_metrics(self) -> None:
        self.http_requests = self._new_counter("http_requests", "HTTP requests answered.", "status")
        self.http_request_seconds = Histogram(
            "hubbub_http_request_seconds", "From a request's head to the end of its response.", ["method", "route"],
            buckets=REQUEST_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.refusals = self._new_counter("refusals", "Error responses over HTTP.", "code")
        self.logins = self._new_counter("logins", "Passwords checked at log-in.", "outcome")
        for outcome in ("accepted", "refused"):
            self.logins.labels(outcome=outcome)

    def _make_journal_metrics(self) -> None:
        self.messages = self._new_counter("messages", "Messages stored.")
        self.batch_commands = Histogram(
            "hubbub_batch_commands", "Commands in one transaction.", buckets=BATCH_SIZES, registry=self.registry
        )
        self.commit_seconds = Histogram(
            "hubbub_commit_seconds", "From BEGIN to the end of COMMIT.", buckets=COMMIT_SECONDS, registry=self.registry
        )
        self.failed_batches = 0
        """Transactions to which the database did not respond."""
        self.database_recoveries = self._new_counter(
            "database_recoveries", "Times a transaction succeeded after one without a response."
        )

    def _make_loop_metrics(self) -> None:
        self.loop_lag_seconds = Histogram(
            "hubbub_loop_lag_seconds", "Delay of the event loop.", buckets=LAG_SECONDS, registry=self.registry
        )
        self.new_epochs = self._new_counter(
            "new_epochs",
            "Times a new history began: the database lost commits, or the operator asked.",
        )
        self.loop_stalls = self._new_counter("loop_stalls", f"Times the event loop was blocked for {STALL} s.")

    def _new_counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hubbub_{name}", text, labels, registry=self.registry)

    def _new_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"hubbub_{name}", text, labels, registry=self.registry)

    def disconnected(self, code: int | None) -> None:
        """Count the end of a connection; without a code, one that was lost."""
        known = code if code is not None else 1006
        reason = CLOSE_REASONS.get(known)
        # A client may send any code: unknown ones share a label, so that clients cannot fill the
        # memory with them.
        self._disconnects.labels(code=str(known) if reason else "other", reason=reason or "other").inc()

    def gauge(self, name: str, text: str, read: Read, label: str | None = None) -> None:
        """Add a value that is read at a scrape: `hubbub_<name>`."""
        self._sources.append(Source("gauge", f"hubbub_{name}", text, read, label))

    def counter(self, name: str, text: str, read: Read, label: str | None = None) -> None:
        """Add a growing value that is read at a scrape: `hubbub_<name>_total`."""
        self._sources.append(Source("counter", f"hubbub_{name}", text, read, label))

    def render(self, read: Sequence[Metric] | None = None) -> bytes:
        """Return everything in the Prometheus text format (0.0.4)."""
        return generate_latest(Page(read if read is not None else self.read(), self.registry))

    def read(self) -> list[Metric]:
        """Read the values from their owners. Call it in the event loop's thread."""
        return [source.collect() for source in self._sources]

    async def scrape(self) -> bytes:
        """Return what `render` returns, without blocking the event loop for milliseconds."""
        return await asyncio.to_thread(self.render, self.read())


def merge(pages: Mapping[int, bytes]) -> bytes:
    """Return the pages of several workers as one: each sample has the label `worker`.

    The lines of a family stay together, as the format requires.
    """
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for worker, page in pages.items():
        label = b'worker="%d"' % worker
        family: tuple[list[bytes], list[bytes]] = ([], [])
        for line in page.splitlines():
            if line.startswith(b"# HELP "):
                family = families.setdefault(line.split(b" ", 3)[2], ([], []))
            if line.startswith(b"#"):
                if line not in family[0]:
                    family[0].append(line)
                continue
            name, space, value = line.rpartition(b" ")
            labelled = name[:-1] + b"," + label + b"}" if name.endswith(b"}") else name + b"{" + label + b"}"
            family[1].append(labelled + space + value)
    return b"".join(line + b"\n" for family in families.values() for lines in family for line in lines)


async def watch_loop(metrics: Metrics, clock: Clock, interval: float = 0.1) -> None:
    """Measure the delay of the event loop until cancelled; log long stalls."""
    log = structlog.get_logger()
    while True:
        before = clock.monotonic()
        await asyncio.sleep(interval)
        lag = max(0.0, clock.monotonic() - before - interval)
        metrics.loop_lag_seconds.observe(lag)
        if lag >= STALL:
            metrics.loop_stalls.inc()
        if lag >= LONG_STALL:
            log.warning("loop_stalled", seconds=round(lag, 3))
