"""The runs: which servers are measured in which order, and what is kept of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from bench import crowds, report
from bench.filling import MESSAGES, fill
from bench.load import LoadError
from bench.peers.floor import FLOOR
from bench.peers.hubbub_server import HubbubServer
from bench.peers.managers import HUBBUB_MANAGER
from bench.peers.peer import Peer
from bench.server import Server, StartError
from bench.workloads import Bench, Measurement

SIDE_BY_SIDE = {"T0", "T1", "T2", "T9"}
CROWDS = {"T6", "T7"}
STORED = {"T12"}
EVERY_CPU = ",".join(map(str, sorted(os.sched_getaffinity(0))))
OPEN_LOOPS = {"T3 small": (100, 5000), "T3 large": (1000, 500), "T3 heavy": (1000, 1000)}
KILO = 1024


class Runs:
    """Collects the samples of all runs and what went wrong in them.

    `samples` has the targets' figures, `notes` further ones by what they mean.
    """

    def __init__(
        self, bench: Bench, peers: Sequence[Peer], hubbub: HubbubServer, wanted: set[str], *, quick: bool
    ) -> None:
        self.samples: dict[str, list[float]] = {}
        self.notes: dict[str, list[float]] = {}
        self.measurements: list[tuple[str, Measurement]] = []
        self.faults: list[str] = []
        self._bench = bench
        self._peers = peers
        self._hubbub = hubbub
        self._server = hubbub.peer()
        self._filled = hubbub.another("filled")
        self._wanted = wanted
        self._lone = 200 if quick else 500
        self._stored = MESSAGES // 10 if quick else MESSAGES
        self._first = True

    def run(self) -> None:
        if self._wanted & SIDE_BY_SIDE:
            self._side_by_side()
        if self._wanted - SIDE_BY_SIDE - CROWDS - STORED:
            self._attempt(self._server, self._whole_server)
        if "T12" in self._wanted:
            self._attempt(self._server, self._filled_store)
        if self._wanted & CROWDS:
            self._attempt(self._server, self._crowds)
        self._first = False

    # --- one CPU for the server ----------------------------------------------------------------------------------

    def _side_by_side(self) -> None:
        """Peers and Hubbub one after the other within the run, so that a noisy minute hits all of them."""
        best = max((m.phase.deliveries_per_second for m in self._all_peers()), default=0.0)
        if "T0" in self._wanted:
            self._attempt(HUBBUB_MANAGER, lambda: self._manager(best))
        if self._wanted & {"T1", "T2"}:
            self._attempt(self._server, lambda: self._durable_fan_out(best))
        if "T9" in self._wanted:
            self._attempt(self._server, self._stalled)

    def _all_peers(self) -> list[Measurement]:
        if not self._wanted & {"T0", "T1"}:
            return []
        found: list[Measurement] = []
        for peer in self._peers:
            self._attempt(peer, partial(self._peer, peer, found))
        return found

    def _peer(self, peer: Peer, found: list[Measurement]) -> None:
        found.append(self._keep("fan-out", self._bench.fan_out(peer)[0]))

    def _manager(self, best: float) -> None:
        measured = self._keep("fan-out", self._bench.fan_out(HUBBUB_MANAGER)[0])
        self._ratio("T0", measured.phase.deliveries_per_second, best)

    def _durable_fan_out(self, best: float) -> None:
        lone = "T2" in self._wanted
        measured = self._bench.fan_out(self._server, prepare=self._hubbub.log_in, lone=lone)
        self._keep("fan-out", measured[0])
        if "T1" in self._wanted:
            self._ratio("T1", measured[0].phase.deliveries_per_second, best)
        if lone:
            one = self._keep("one in flight", measured[1])
            floor = self._keep("one in flight", self._bench.floor(FLOOR, one.phase.bytes_per_delivery))
            self._ratio("T2", one.cpu_microseconds, floor.cpu_microseconds)

    def _stalled(self) -> None:
        seen = crowds.stalled_readers(self._bench, self._hubbub, wait=self._first)
        before = self._keep("nobody stalled", seen.before).phase.latency_ms("delivery", "p99")
        during = self._keep("1 % stalled", seen.during).phase.latency_ms("delivery", "p99")
        self._ratio("T9", during, before)
        self._note("memory that ten stalled readers take, MB", seen.grown_megabytes)
        if self._first:
            self._note("stalled readers closed as slow (4008), of 10", seen.closed)
            self._note("stalled readers that saw a reset, of 10", seen.reset)
            self._note("seconds until the last of them was closed", seen.shed_seconds)

    def _crowds(self) -> None:
        with self._bench.start(self._server, "0") as server:
            self._hubbub.log_in(server.port)
            if "T6" in self._wanted:
                self._sample("T6", crowds.idle_connection_bytes(self._hubbub, server) / KILO)
            if "T7" in self._wanted:
                self._greet("T7 steady", server, crowds.AT_ONCE)
                self._greet("T7 storm", server, crowds.COMING)

    def _greet(self, name: str, server: Server, at_once: int) -> None:
        seen = crowds.greetings(self._hubbub, server, at_once)
        self._sample(name, seen.per_second)
        self._note(f"CPU of a greeting, {at_once:,} at once, µs", seen.cpu_microseconds)
        self._note(f"99th percentile of a greeting, {at_once:,} at once, ms", seen.p99_ms)

    # --- the server as it runs everywhere ------------------------------------------------------------------------

    def _whole_server(self) -> None:
        with self._bench.start(self._server, EVERY_CPU) as server:
            if "T10" in self._wanted:
                idle = self._bench.idle(server)
                self._sample("T10 start", idle.start_seconds)
                self._sample("T10 memory", idle.resident_megabytes)
            self._hubbub.log_in(server.port)
            if "T5" in self._wanted:
                lone = self._keep("lone message", self._bench.lone_messages(self._server, server, self._lone))
                self._sample("T5 p50", lone.phase.latency_ms("delivery", "p50"))
                self._sample("T5 p99", lone.phase.latency_ms("delivery", "p99"))
            if "T3" in self._wanted:
                for name, (readers, rate) in OPEN_LOOPS.items():
                    self._open_loop(name, server, readers, rate)
            if "T4" in self._wanted:
                published = self._keep("publish", self._bench.publish(self._server, server))
                self._sample("T4", published.phase.messages_per_second)

    def _filled_store(self) -> None:
        """On a server of its own, whose store is filled before the first run."""
        hubbub = self._filled
        if self._first:
            with self._bench.start(hubbub.peer(), EVERY_CPU) as server:
                hubbub.log_in(server.port)
            fill(hubbub.database, self._stored)
        with self._bench.start(hubbub.peer(), EVERY_CPU) as server:
            hubbub.log_in(server.port)
            published = self._keep("publish and react", self._bench.publish(hubbub.busy_peer(), server))
            self._sample("T12", published.phase.messages_per_second)

    def _open_loop(self, name: str, server: Server, readers: int, rate: int) -> None:
        measured = self._keep(f"{readers:,} x {rate:,}/s", self._bench.open_loop(self._server, server, readers, rate))
        self._sample(name, measured.phase.latency_ms("delivery", "p99"))

    # --- what is kept --------------------------------------------------------------------------------------------

    def _keep(self, workload: str, measurement: Measurement) -> Measurement:
        self.measurements.append((workload, measurement))
        self.faults += [f"{measurement.peer}, {workload}: {fault}" for fault in measurement.faults]
        print(report.line(workload, measurement), flush=True)
        return measurement

    def _sample(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)
        if name.split()[0] in CROWDS:  # they have no line of their own
            print(f"  {name:<14} {value:,.2f}", flush=True)

    def _note(self, name: str, value: float) -> None:
        self.notes.setdefault(name, []).append(value)

    def _ratio(self, name: str, value: float, against: float) -> None:
        if against:
            self._sample(name, value / against)

    def _attempt(self, peer: Peer, measure: Callable[[], object]) -> None:
        """A server that fails spoils its own figures, not the others'."""
        try:
            measure()
        except (StartError, LoadError, RuntimeError, OSError) as error:
            fault = f"{peer.name}: {type(error).__name__}: {str(error).strip()}"
            print(fault, file=sys.stderr, flush=True)
            self.faults.append(fault)
