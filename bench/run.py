"""`python -m bench [T0 T1 ...] [--runs 5] [--quick]`: measure, compare, say what is met."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench import load, report
from bench.load import LoadError
from bench.machine import describe
from bench.peers.floor import FLOOR
from bench.peers.hubbub_server import HubbubServer
from bench.peers.managers import FASTAPI, HUBBUB_MANAGER
from bench.peers.nats import NATS
from bench.peers.peer import Peer
from bench.server import Server, StartError
from bench.targets import DEFAULT, TARGETS, verdicts
from bench.workloads import Bench, Idle, Measurement

PEERS = [NATS, FASTAPI]  # further brokers join here: one file each
FAN_OUT_TARGETS = {"T0", "T1", "T2"}
EVERY_CPU = ",".join(map(str, sorted(os.sched_getaffinity(0))))


class Runs:
    """Collects the samples of all runs and what went wrong in them."""

    def __init__(self, bench: Bench, hubbub: HubbubServer, wanted: set[str], *, quick: bool) -> None:
        self.samples: dict[str, list[float]] = {}
        self.measurements: list[tuple[str, Measurement]] = []
        self.idle: list[Idle] = []
        self.faults: list[str] = []
        self._bench = bench
        self._hubbub = hubbub
        self._server = hubbub.peer()
        self._wanted = wanted
        self._lone = 200 if quick else 500

    def run(self) -> None:
        if self._wanted & FAN_OUT_TARGETS:
            self._fan_out()
        if self._wanted - FAN_OUT_TARGETS:
            self._attempt(self._server, self._whole_server)

    def _fan_out(self) -> None:
        """Peers and Hubbub one after the other within the run, so that a noisy minute hits all of them."""
        best = max((m.phase.deliveries_per_second for m in self._peers()), default=0.0)
        if "T0" in self._wanted:
            self._attempt(HUBBUB_MANAGER, lambda: self._manager(best))
        if self._wanted & {"T1", "T2"}:
            self._attempt(self._server, lambda: self._durable_fan_out(best))

    def _peers(self) -> list[Measurement]:
        if not self._wanted & {"T0", "T1"}:
            return []
        found: list[Measurement] = []
        for peer in PEERS:
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

    def _whole_server(self) -> None:
        with self._bench.start(self._server, EVERY_CPU) as server:
            if "T10" in self._wanted:
                idle = self._bench.idle(server)
                self.idle.append(idle)
                self._sample("T10 start", idle.start_seconds)
                self._sample("T10 memory", idle.resident_megabytes)
            self._hubbub.log_in(server.port)
            if "T5" in self._wanted:
                lone = self._keep("lone message", self._bench.lone_messages(self._server, server, self._lone))
                self._sample("T5 p50", lone.phase.latency_ms("delivery", "p50"))
                self._sample("T5 p99", lone.phase.latency_ms("delivery", "p99"))
            if "T3" in self._wanted:
                self._open_loop("T3 small", server, 100, 5000)
                self._open_loop("T3 large", server, 1000, 500)
            if "T4" in self._wanted:
                published = self._keep("publish", self._bench.publish(self._server, server))
                self._sample("T4", published.phase.messages_per_second)

    def _open_loop(self, name: str, server: Server, readers: int, rate: int) -> None:
        measured = self._keep(f"{readers} x {rate}/s", self._bench.open_loop(self._server, server, readers, rate))
        self._sample(name, measured.phase.latency_ms("delivery", "p99"))

    def _keep(self, workload: str, measurement: Measurement) -> Measurement:
        self.measurements.append((workload, measurement))
        self.faults += [f"{measurement.peer}, {workload}: {fault}" for fault in measurement.faults]
        print(report.line(workload, measurement), flush=True)
        return measurement

    def _sample(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)

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


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{' '.join(TARGETS)}; by default all but T3")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs; medians are reported")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one phase")
    parser.add_argument("--patience", type=float, default=4.0, help="seconds to wait for a quiet machine, each time")
    parser.add_argument("--quick", action="store_true", help="one short run: a look, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="also print the tables of docs/performance.md")
    parser.add_argument("--json", type=Path, default=load.BUILD / "results.json", help="where the figures go")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if chosen.quick:
        chosen.runs, chosen.seconds, chosen.patience = 1, 1.5, 0.0
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    chosen = arguments(argv)
    wanted = set(chosen.targets or DEFAULT)
    load.build()
    machine = describe(load.BUILD)
    print(report.heading(machine), flush=True)
    folder = Path(tempfile.mkdtemp(dir=load.BUILD))  # on the checkout's disk: /tmp may be memory, where fsync is free
    try:
        runs = Runs(
            Bench(folder, chosen.seconds, chosen.patience),
            HubbubServer(folder),
            wanted,
            quick=chosen.quick,
        )
        for number in range(chosen.runs):
            print(f"run {number + 1} of {chosen.runs}, load {os.getloadavg()[0]:.2f}", flush=True)
            runs.run()
    finally:
        shutil.rmtree(folder)
    rows = verdicts([target for name in TARGETS if name in wanted for target in TARGETS[name]], runs.samples)
    print(report.summary(runs.measurements), report.verdict(rows, runs.faults), sep="\n\n")
    if chosen.markdown:
        print(report.heading(machine), report.markdown(runs.measurements, rows), sep="\n\n")
    chosen.json.write_text(json.dumps(report.as_json(machine, runs.measurements, rows, runs.faults), indent=1))
    return 0 if not runs.faults and all(met for _, _, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
