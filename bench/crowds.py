"""Measurements of many connections.

They cover memory when idle, the rate of greetings, and the effect of stalled readers.
"""

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
"""Connections before the first memory reading, and between the two readings."""
COMING = 2000
AT_ONCE = 64
STALLED = READERS // 100
SETTLE = 0.5
CLOSE_DEADLINE = 20.0
"""Seconds after which the measurement gives up.

Overflowing an outbox plus ten seconds to close take much less.
"""


@dataclass(frozen=True, slots=True)
class Greetings:
    """Connections that opened, authenticated and got their `welcome`.

    The fields are the rate and the cost of a greeting.
    """

    at_once: int
    per_second: float
    p99_ms: float
    cpu_microseconds: float
    user_share: float


@dataclass(frozen=True, slots=True)
class Stall:
    """The same load before and after some readers stall, and how these ended."""

    before: Measurement
    during: Measurement
    grown_megabytes: float
    closed: int
    reset: int
    shed_seconds: float


def idle_connection_bytes(hubbub: HubbubServer, server: Server) -> float:
    """Return the server's memory (PSS) per idle connection.

    PSS counts private pages, and the server's part of shared ones. All connections are greeted and
    in five rooms. The first ones warm up the allocators and are not counted.
    """
    with Load(server.port, [*hubbub.greeting(), "--readers", str(WARM), "--senders", "1", "--silent"]):
        time.sleep(SETTLE)
        before = server.proportional_bytes()
        with Load(server.port, [*hubbub.greeting(), "--readers", str(IDLE), "--senders", "1", "--silent"]):
            time.sleep(SETTLE)
            return (server.proportional_bytes() - before) / IDLE


def greetings(hubbub: HubbubServer, server: Server, at_once: int) -> Greetings:
    """Open COMING connections, at most `at_once` at a time, then close them.

    All are greeted before the first one closes.
    """
    with Load(server.port, [*hubbub.greeting(), "--readers", str(COMING), "--senders", "1", "--later"]) as load:
        before = server.cpu()
        seen = json.loads(load.command(f"connect {at_once}"))
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
    """Measure fan-out with all readers awake, then with 1 % stalled.

    `wait` until the server closes those.
    """
    peer = hubbub.peer()
    with bench.start(peer, "0") as server:
        hubbub.log_in(server.port)
        with bench.fan_out_load(peer, server) as load:
            before = bench.phase(peer, server, load)
            memory, started = server.resident_bytes(), time.monotonic()
            load.command(f"stall {STALLED}")
            during = bench.phase(peer, server, load)
            grown = server.resident_bytes() - memory
            closed, reset, seconds = _wait_until_closed(load, server, started) if wait else (0, 0, 0.0)
    return Stall(before, during, grown / 2**20, closed, reset, seconds)


def _wait_until_closed(load: Load, server: Server, started: float) -> tuple[int, int, float]:
    """Send until the server has closed all stalled readers.

    Return its count, the number of resets, and seconds.
    """
    while True:
        closed, seconds = _closed_as_slow(server.port), time.monotonic() - started
        if closed >= STALLED or seconds > CLOSE_DEADLINE:
            return closed, int(json.loads(load.command("stalled"))["reset"]), seconds
        load.run("closed 64 0 0.5")


def _closed_as_slow(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        found = re.search(r'^hubbub_disconnects_total{code="4008"[^}]*} (\S+)$', answer.read().decode(), re.MULTILINE)
    return round(float(found[1])) if found else 0
