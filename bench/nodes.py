"""Measure a site of several nodes: its order under load, and what another node costs and gives.

    python -m bench.nodes [room|delivery|foreign|fan-out ...] [--pairs 5] [--seconds 3] [--database URL]

The nodes share one PostgreSQL and one NATS server, which it starts, and all of them share the CPUs
with the generator. So each figure is the median of interleaved pairs with one and with several
nodes, and the processor time of each part stands beside it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import psycopg
from sqlalchemy.engine import make_url

from bench import load
from bench.load import Load, Phase, text_of
from bench.machine import busy_seconds
from bench.peers.hubbub_server import HubbubServer, post
from bench.postgresql import database_url
from bench.server import Server, free_port
from bench.workloads import BODY, FAN_OUT, TWO_USERS, WINDOW, Connections

NODES = 3
CROWD = Connections(12, 12)
"""Readers who all send, spread over the nodes."""
IN_FLIGHT = 256
"""Messages in flight on each node, as in T4."""
LONE = 200
"""Messages of one comparison of delays."""
RATE = 300
"""Messages a second of the fan-out under constant load: two nodes and one then do the same work."""
IDLE = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One phase: what the generator saw, and the CPU seconds of each part of the site."""

    phase: Phase
    cpu: dict[str, float]
    others: float
    """CPUs that other programs used meanwhile."""

    def share(self, part: str) -> float:
        """Return the part's CPU time as a share of one CPU."""
        return self.cpu[part] / self.phase.seconds


class Site:
    """Running nodes on one PostgreSQL and one NATS server."""

    def __init__(self, nodes: Sequence[Server], clients: HubbubServer, parts: dict[str, Callable[[], float]]) -> None:
        self.nodes, self.clients, self.parts = nodes, clients, parts
        self.faults: list[str] = []

    def spread(self, count: int) -> list[int]:
        """Return the ports of the first nodes."""
        return [node.port for node in self.nodes[:count]]

    @contextmanager
    def load(self, ports: Sequence[int], connections: Connections, room: int = 1) -> Iterator[Load]:
        arguments = [text.replace('"room":1,', f'"room":{room},') for text in self.clients.load(text_of(BODY))]
        self.clients.log_in(self.nodes[0].port)
        with Load(ports, [*connections.arguments(), *arguments]) as opened:
            opened.run("closed 16 0 0.5")
            yield opened

    def run(self, opened: Load, command: str) -> Run:
        before, busy = self._cpu(), busy_seconds()
        phase = opened.run(command)
        cpu = {name: after - before[name] for name, after in self._cpu().items()}
        others = (busy_seconds() - busy - sum(cpu.values())) / phase.seconds - phase.generator_busy
        self.faults += phase.faults(acknowledged=True)
        return Run(phase, cpu, max(others, 0.0))

    def idle(self, seconds: float) -> dict[str, float]:
        """Return the CPU seconds of each part while nothing is sent."""
        before = self._cpu()
        time.sleep(seconds)
        return {name: after - before[name] for name, after in self._cpu().items()}

    def _cpu(self) -> dict[str, float]:
        return {name: read() for name, read in self.parts.items()}


@contextmanager
def site(folder: Path, database: str) -> Iterator[Site]:
    with ExitStack() as stack:
        url = stack.enter_context(database_url(database))
        assert url is not None
        port = free_port()
        command = [str(Path(sys.executable).parent / "nats-server"), "-a", "127.0.0.1", "-p", str(port)]
        nats = stack.enter_context(Server(command, port, folder / "nats.log", "0,1"))
        clients = [HubbubServer(folder / f"node{number}", url) for number in range(NODES)]
        nodes = []
        for number, client in enumerate(clients):
            peer, own = client.peer(), free_port()
            environment = peer.environment | {"HUBBUB_BUS_URL": f"nats://127.0.0.1:{port}"}
            log = folder / f"node{number}.log"
            nodes.append(Server(peer.command(own), own, log, "0,1", environment, peer.ready_path))
            stack.enter_context(nodes[-1])
        clients[0].log_in(nodes[0].port)
        parts: dict[str, Callable[[], float]] = {"PostgreSQL": _postgres(url), "NATS": lambda: nats.cpu().total}
        for number, node in enumerate(nodes):
            parts[f"node {number + 1}"] = lambda node=node: node.cpu().total  # type: ignore[misc]
        yield Site(nodes, clients[0], parts)


def _postgres(url: str) -> Callable[[], float]:
    """Return what reads the CPU seconds of a PostgreSQL server; 0 if it is on another machine."""
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as admin:
        backend = admin.execute("SELECT pg_backend_pid()").fetchone()
        assert backend is not None
        if not psutil.pid_exists(backend[0]):
            return lambda: 0.0
        main = psutil.Process(backend[0]).parent()
    assert main is not None

    def read() -> float:
        total = 0.0
        for process in main.children():
            with suppress(psutil.NoSuchProcess):  # then it is in the time of the ended children
                total += sum(process.cpu_times()[:2])
        return total + sum(main.cpu_times()[:4])

    return read


# --- what is measured ------------------------------------------------------------------------------------------------


def room(measured: Site, seconds: float, pairs: int) -> None:
    """One busy room: all readers see one order, without gap, also if all nodes write to it."""
    runs: dict[int, list[Run]] = {1: [], NODES: []}
    for _ in range(pairs):
        for count in runs:
            with measured.load(measured.spread(count), CROWD) as opened:
                runs[count].append(measured.run(opened, f"closed {IN_FLIGHT * count} 0 {seconds}"))
    for count, found in runs.items():
        rate = _spread([run.phase.messages_per_second for run in found], "{:,.0f}")
        ack = median(run.phase.latency_ms("ack", "p99") for run in found)
        print(f"room, {count} node(s): {rate} messages/s, ack p99 {ack:.1f} ms; {_per_message(found)}")


def delivery(measured: Site, _seconds: float, pairs: int) -> None:
    """A message from one user to another, on the same node or from another one."""
    here, there = [measured.nodes[0].port] * 2, measured.spread(2)
    added: dict[str, list[float]] = {"p50": [], "p99": []}
    seen: dict[str, list[float]] = {}
    for _ in range(3 * pairs):
        found = {}
        for name, ports in (("same node", here), ("another node", there)):
            with measured.load(ports, TWO_USERS) as opened:
                found[name] = measured.run(opened, f"closed 1 {LONE} 30").phase
            for at in added:
                seen.setdefault(f"{name} {at}", []).append(found[name].latency_ms("delivery", at))
        for at, values in added.items():
            near, far = (found[name].latency_ms("delivery", at) for name in ("same node", "another node"))
            values.append(far - near)
    for name, values in seen.items():
        print(f"delivery, {name}: {_spread(values, '{:.2f}')} ms")
    for at, values in added.items():
        print(f"delivery, added by another node {at}: {_spread(values, '{:.2f}')} ms")


def foreign(measured: Site, seconds: float, pairs: int) -> None:
    """What a node spends on a busy room that none of its clients is in."""
    port, other = measured.nodes[0].port, measured.nodes[1]
    made = post(port, "/api/rooms", {"kind": "public", "name": "Foreign", "key": "foreign"}, measured.clients.tokens[0])
    busy = made["room"]["id"]
    for token in measured.clients.tokens[1:]:
        post(port, f"/api/rooms/{busy}/join", {}, token)
    shares, of_writer = [], []
    for _ in range(pairs):
        idle = measured.idle(IDLE)
        with measured.load([port], CROWD, busy) as opened:
            run = measured.run(opened, f"closed {IN_FLIGHT} 0 {seconds}")
        spent = max(run.share("node 2") - idle["node 2"] / IDLE, 0.0)
        shares.append(100 * spent)
        of_writer.append(run.phase.messages_per_second)
    received = _metric(other.port, 'hubbub_bus_messages_total{outcome="received"}')
    print(f"foreign: {_spread(shares, '{:.2f}')} % of a CPU beyond idle, at {_spread(of_writer, '{:,.0f}')} messages/s;"
          f" {received:,.0f} bus messages received in all")  # fmt: skip


def fan_out(measured: Site, seconds: float, pairs: int) -> None:
    """1,000 readers on one node or on two: as fast as possible, and under a constant load.

    Under the constant load the CPU time of the busiest node says how many nodes carry how much, also
    where the nodes share their CPUs with everything else.
    """
    fast: dict[int, list[Run]] = {1: [], 2: []}
    constant: dict[int, list[Run]] = {1: [], 2: []}
    for _ in range(pairs):
        for count in fast:
            with measured.load(measured.spread(count), FAN_OUT) as opened:
                fast[count].append(measured.run(opened, f"closed {WINDOW} 0 {seconds}"))
                constant[count].append(measured.run(opened, f"open {RATE} {seconds}"))
    for count, found in fast.items():
        rate = _spread([run.phase.deliveries_per_second for run in found], "{:,.0f}")
        print(f"fan-out, {count} node(s): {rate} deliveries/s; {_shares(found)}")
    rates = {count: [run.phase.deliveries_per_second for run in found] for count, found in fast.items()}
    print(f"fan-out, two nodes against one: {_spread(_ratios(rates[2], rates[1]), '{:.2f}')} x")
    busiest = {}
    for count, found in constant.items():
        busiest[count] = [max(run.share(f"node {n + 1}") for n in range(count)) for run in found]
        print(f"constant, {count} node(s): busiest {_spread(busiest[count], '{:.3f}')} CPUs; {_shares(found)}")
    print(f"constant, load that two nodes carry against one: {_spread(_ratios(busiest[1], busiest[2]), '{:.2f}')} x")


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


WORK = {"room": room, "delivery": delivery, "foreign": foreign, "fan-out": fan_out}


def _spread(values: Sequence[float], form: str) -> str:
    low, middle, high = (form.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} to {high})"


def _shares(found: Sequence[Run]) -> str:
    """Return the CPUs that each part of the site, the generator and others used."""
    parts = {part: median(run.share(part) for run in found) for part in found[0].cpu}
    parts["generator"] = median(run.phase.generator_busy for run in found)
    parts["others"] = median(run.others for run in found)
    return "CPUs: " + ", ".join(f"{part} {share:.2f}" for part, share in parts.items())


def _per_message(found: Sequence[Run]) -> str:
    costs = {part: median(run.cpu[part] / run.phase.raw["messages"] * 1e6 for run in found) for part in found[0].cpu}
    costs_text = ", ".join(f"{part} {cost:.0f} µs" for part, cost in costs.items())
    return f"per message {costs_text}; {_shares(found)}"


def _metric(port: int, sample: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.nodes", description=__doc__)
    parser.add_argument("work", nargs="*", metavar="WORK", help=f"{' '.join(WORK)}; all by default")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs; medians are reported")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a phase")
    parser.add_argument("--database", metavar="URL", default="postgresql", help="instead of a temporary PostgreSQL")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.work) - set(WORK):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    load.build()
    folder = Path(tempfile.mkdtemp(dir=load.BUILD))
    try:
        with site(folder, chosen.database) as measured:
            for name in chosen.work or WORK:
                WORK[name](measured, chosen.seconds, chosen.pairs)
                sys.stdout.flush()
    finally:
        shutil.rmtree(folder)
    for fault in measured.faults:
        print(f"fault: {fault}")
    return 1 if measured.faults else 0


if __name__ == "__main__":
    sys.exit(main())
