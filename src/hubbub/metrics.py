"""What is counted, for Prometheus: a registry of our own per server, so that two servers in one process do not mix.

Values that somebody keeps anyway (deliveries, queue lengths) are read when they are asked for, and cost nothing before.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from hubbub.clock import Clock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
LAG_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STALL = 0.25
CLOSE_REASONS = {
    1000: "normal", 1001: "normal", 1002: "protocol", 1003: "protocol", 1005: "normal", 1006: "lost", 1007: "protocol",
    1009: "too_large", 4000: "going_away", 4008: "slow", 4009: "too_many", 4501: "not_authenticated",
    4502: "name_taken", 4503: "session_ended", 4510: "banned",
}  # fmt: skip


class Watched(Collector):
    """Values that are read from their owners at the moment of asking."""

    def __init__(self) -> None:
        self._sources: list[tuple[Literal["gauge", "counter"], str, str, Callable[[], float]]] = []

    def add(self, kind: Literal["gauge", "counter"], name: str, text: str, read: Callable[[], float]) -> None:
        self._sources.append((kind, name, text, read))

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        for kind, name, text, read in self._sources:
            family = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily
            yield family(name, text, value=read())


class Metrics:
    """The server's counters. Safe to use from the writer's thread as well as from the event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._watched = Watched()
        self.registry.register(self._watched)
        self._make_connection_metrics()
        self._make_journal_metrics()
        self.loop_lag_seconds = Histogram(
            "hubbub_loop_lag_seconds", "How late the event loop was.", buckets=LAG_SECONDS, registry=self.registry
        )
        self.loop_stalls = Counter(
            "hubbub_loop_stalls", f"How often the event loop stood still for {STALL} s.", registry=self.registry
        )
        self.http_requests = Counter(
            "hubbub_http_requests", "HTTP requests answered.", ["status"], registry=self.registry
        )
        self.refusals = Counter("hubbub_refusals", "Errors told to clients.", ["code"], registry=self.registry)

    def _make_connection_metrics(self) -> None:
        self.connections = Gauge("hubbub_connections", "Open WebSocket connections.", ["state"], registry=self.registry)
        for state in ("unauthenticated", "live"):
            self.connections.labels(state=state)
        self._disconnects = Counter(
            "hubbub_disconnects", "Closed WebSocket connections.", ["code", "reason"], registry=self.registry
        )
        for code in (4008, 4503):  # seen as 0 before the first one, so that an alert can be written
            self._disconnects.labels(code=str(code), reason=CLOSE_REASONS[code])

    def _make_journal_metrics(self) -> None:
        self.messages = Counter("hubbub_messages", "Messages stored.", registry=self.registry)
        self.batch_commands = Histogram(
            "hubbub_batch_commands", "Commands in one transaction.", buckets=BATCH_SIZES, registry=self.registry
        )
        self.commit_seconds = Histogram(
            "hubbub_commit_seconds", "From BEGIN to the end of COMMIT.", buckets=COMMIT_SECONDS, registry=self.registry
        )

    def disconnected(self, code: int | None) -> None:
        """Counts the end of a connection; without a code, one that was lost."""
        known = code if code is not None else 1006
        reason = CLOSE_REASONS.get(known)
        # A client may send any code: unknown ones share one label, so that nobody can fill the memory with them.
        self._disconnects.labels(code=str(known) if reason else "other", reason=reason or "other").inc()

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A value read when it is asked for: `hubbub_<name>`."""
        self._watched.add("gauge", f"hubbub_{name}", text, read)

    def counter(self, name: str, text: str, read: Callable[[], float]) -> None:
        """The same for a value that only grows: `hubbub_<name>_total`."""
        self._watched.add("counter", f"hubbub_{name}", text, read)

    def render(self) -> bytes:
        """All of it in Prometheus' text format (0.0.4)."""
        return generate_latest(self.registry)


async def watch_loop(metrics: Metrics, clock: Clock, interval: float = 0.1) -> None:
    """Measures, until cancelled, how late the event loop calls back; tells the log when it stood still."""
    log = structlog.get_logger()
    while True:
        before = clock.monotonic()
        await asyncio.sleep(interval)
        lag = max(0.0, clock.monotonic() - before - interval)
        metrics.loop_lag_seconds.observe(lag)
        if lag >= STALL:
            metrics.loop_stalls.inc()
            log.warning("loop_stalled", seconds=round(lag, 3))
