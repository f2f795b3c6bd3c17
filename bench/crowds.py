"""Measurements about many connections: what an idle one costs, how fast they come, what stalled ones do to others."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from dataclasses import dataclass

from bench.load import Load
from bench.peers.hubbub_server import HubbubServer
from bench.server import Server
from bench.workloads import READERS, Bench, Measurement

WARM, IDLE = 500, 3000
"""Connections before the first look at the memory, and between the two looks."""
COMING = 2000
AT_ONCE = 64
STALLED = READERS // 100
SETTLE = 0.5
SHED = 20.0
"""Seconds after which nobody waits any more: a full outbox, and ten seconds for the farewell, are well below it."""


@dataclass(frozen=True, slots=True)
class Greetings:
    """Connections that opened, authenticated and had their `welcome`: how many a second, and what one took."""

    at_once: int
    per_second: float
    p99_ms: float
    cpu_microseconds: float
    user_share: float


@dataclass(frozen=True, slots=True)
class Stall:
    """The same load before some readers stop reading and after it, and what became of those."""

    before: Measurement
    during: Measurement
    grown_megabytes: float
    closed: int
    reset: int
    shed_seconds: float


def idle_connection_bytes(hubbub: HubbubServer, server: Server) -> float:
    """The slope of the server's memory (PSS: its own pages, and its part of shared ones) over idle connections.

    All are greeted and in five rooms; the first ones warm up allocators and are not counted.
    """
    with Load(server.port, [*hubbub.greeting(), "--readers", str(WARM), "--senders", "1", "--silent"]):
        time.sleep(SETTLE)
        before = server.proportional_bytes()
        with Load(server.port, [*hubbub.greeting(), "--readers", str(IDLE), "--senders", "1", "--silent"]):
            time.sleep(SETTLE)
            return (server.proportional_bytes() - before) / IDLE


def greetings(hubbub: HubbubServer, server: Server, at_once: int) -> Greetings:
    """So many arrive, at most `at_once` at a time, until COMING are greeted; then all leave."""
    with Load(server.port, [*hubbub.greeting(), "--readers", str(COMING), "--senders", "1", "--later"]) as load:
        before = server.cpu()
        seen = json.loads(load.tell(f"connect {at_once}"))
        cpu = server.cpu() - before
    time.sleep(SETTLE)
    return Greetings(
        at_once,
        seen["connections_per_s"],
        seen["greeting_us"]["p99"] / 1000,
        cpu.total / COMING * 1e6,
        cpu.user / cpu.total,
    )


def stalled_readers(bench: Bench, hubbub: HubbubServer, *, wait: bool) -> Stall:
    """The fan-out with all readers awake, then with 1 % of them stalled; `wait` for what the server does to them."""
    peer = hubbub.peer()
    with bench.start(peer, "0") as server:
        hubbub.log_in(server.port)
        with bench.fan_out_load(peer, server) as load:
            before = bench.phase(peer, server, load)
            memory, started = server.resident_bytes(), time.monotonic()
            load.tell(f"stall {STALLED}")
            during = bench.phase(peer, server, load)
            grown = server.resident_bytes() - memory
            closed, reset, seconds = _shed(load, server, started) if wait else (0, 0, 0.0)
    return Stall(before, during, grown / 2**20, closed, reset, seconds)


def _shed(load: Load, server: Server, started: float) -> tuple[int, int, float]:
    """Talks on until the server has cut off all stalled readers: how many it counts, how many see a reset, seconds."""
    while True:
        closed, seconds = _closed_as_slow(server.port), time.monotonic() - started
        if closed >= STALLED or seconds > SHED:
            return closed, int(json.loads(load.tell("stalled"))["reset"]), seconds
        load.run("closed 64 0 0.5")


def _closed_as_slow(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        found = re.search(r'^hubbub_disconnects_total{code="4008"[^}]*} (\S+)$', answer.read().decode(), re.MULTILINE)
    return round(float(found[1])) if found else 0
