"""One measurement of each workload: which servers, which connections, which phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load, Phase, text_of
from bench.machine import busy_seconds, wait_until_quiet
from bench.peers.peer import Peer
from bench.server import Cpu, Server, free_port

BODY = 128  # bytes of every message
READERS, SENDERS, WINDOW = 1000, 50, 64
IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One phase against one server."""

    peer: str
    phase: Phase
    cpu: Cpu
    others: float
    """CPUs that other programs kept busy meanwhile: above 0.1 or so the figure is worth less."""
    faults: list[str]

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the whole server tree per delivery."""
        return self.cpu.total / max(self.phase.deliveries, 1) * 1e6


@dataclass(frozen=True, slots=True)
class Idle:
    """A server that has just started and that nobody uses."""

    start_seconds: float
    resident_megabytes: float


@dataclass(frozen=True, slots=True)
class Connections:
    """Who is connected; `separate` senders are extra connections, otherwise the first readers send."""

    readers: int
    senders: int
    separate: bool = False

    def arguments(self) -> Sequence[str]:
        separate = ["--separate"] if self.separate else []
        return ["--readers", str(self.readers), "--senders", str(self.senders), *separate]


FAN_OUT = Connections(READERS, SENDERS)
FEW_READERS = Connections(10, 10)
TWO_PEOPLE = Connections(1, 1, separate=True)


class Bench:
    """Starts servers one at a time on `folder` and measures them.

    `seconds` is the length of a phase, `patience` how long to wait before each server for a quiet machine.
    """

    def __init__(self, folder: Path, seconds: float, patience: float) -> None:
        self._folder = folder
        self._patience = patience
        self._seconds = seconds

    def start(self, peer: Peer, cpus: str) -> Server:
        wait_until_quiet(self._patience)
        port = free_port()
        log = self._folder / f"{peer.name.replace(' ', '-')}.log"
        return Server(peer.command(port), port, log, cpus, peer.environment, peer.ready_path)

    def fan_out(
        self, peer: Peer, *, prepare: Callable[[int], None] | None = None, lone: bool = False
    ) -> list[Measurement]:
        """64 messages in flight to 1,000 readers; with `lone` a second measurement with one in flight."""
        with self.start(peer, "0") as server:
            if prepare:
                prepare(server.port)
            with self.fan_out_load(peer, server) as load:
                windows = [WINDOW, 1] if lone else [WINDOW]
                return [self.phase(peer, server, load, window) for window in windows]

    def floor(self, peer: Peer, bytes_per_delivery: float) -> Measurement:
        """One message in flight through the C loop, in frames of that many bytes."""
        text = text_of(round(bytes_per_delivery) - 4)
        with self.start(peer, "0") as server, self._load(peer, server, FAN_OUT, text) as load:
            return self.phase(peer, server, load, 1)

    def fan_out_load(self, peer: Peer, server: Server) -> AbstractContextManager[Load]:
        """The connections of the fan-out, warmed up."""
        return self._load(peer, server, FAN_OUT, text_of(BODY))

    def phase(self, peer: Peer, server: Server, load: Load, window: int = WINDOW) -> Measurement:
        """One closed loop over connections that stand."""
        return _measure(peer, server, load, f"closed {window} 0 {self._seconds}")

    def publish(self, peer: Peer, server: Server) -> Measurement:
        """256 messages in flight to 10 readers who all send."""
        with self._load(peer, server, FEW_READERS, text_of(BODY)) as load:
            return self.phase(peer, server, load, 256)

    def open_loop(self, peer: Peer, server: Server, readers: int, rate: int) -> Measurement:
        """`rate` messages a second whatever the server does, timed from the moment each was due."""
        connections = Connections(readers, min(readers, SENDERS))
        with self._load(peer, server, connections, text_of(BODY)) as load:
            return _measure(peer, server, load, f"open {rate} {self._seconds}")

    def lone_messages(self, peer: Peer, server: Server, count: int) -> Measurement:
        """One message at a time from one person to another, nothing else going on."""
        with self._load(peer, server, TWO_PEOPLE, text_of(BODY)) as load:
            return _measure(peer, server, load, f"closed 1 {count} 30")

    def idle(self, server: Server) -> Idle:
        """Time to ready of this start, and memory a second after it."""
        time.sleep(IDLE_SECONDS)
        return Idle(server.start_seconds, server.resident_bytes() / 2**20)

    @contextmanager
    def _load(self, peer: Peer, server: Server, connections: Connections, text: str) -> Iterator[Load]:
        with Load(server.port, [*connections.arguments(), *peer.load(text)]) as load:
            load.run("closed 16 0 0.5")  # warm-up: buffers grown, code paths seen
            yield load


def _measure(peer: Peer, server: Server, load: Load, command: str) -> Measurement:
    before, busy = server.cpu(), busy_seconds()
    phase = load.run(command)
    cpu = server.cpu() - before
    others = (busy_seconds() - busy - cpu.total) / phase.seconds - phase.generator_busy
    return Measurement(peer.name, phase, cpu, max(others, 0.0), phase.faults(acknowledged=peer.acknowledges))
