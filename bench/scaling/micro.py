"""Measure single costs in CPU time: the bus, interest, comparing heads, TLS, instructions of the codec.

    python -m bench.scaling.micro

It starts a NATS server and a PostgreSQL. Results go into `micro.json` beside this file. Times are
the CPU time of a process, not elapsed time; each figure is the median of ROUNDS with the lowest and
the highest.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import IO, Any

import psutil
import psycopg
import uvloop

from bench.postgresql import database_url
from bench.server import Server, free_port
from hubbub.bus.messages import Codec
from hubbub.bus.nats import NatsBus, NatsOptions
from hubbub.domain.entries import parse_entry
from hubbub.domain.events import Entry
from hubbub.storage import log, migrate
from hubbub.storage.database import Database

RESULTS = Path(__file__).with_name("micro.json")
ROUNDS = 5
MESSAGES = 4_000
TOPICS = 5_000
HEADS = 5_000
GREETED = 200
ENTRY = (
    b'{"topic":"room:%d","seq":%d,"type":"message.sent","at":"2026-11-22T13:05:03.123Z","room":%d,"n":%d,"by":7,'
    b'"name":"ada","body":"@1000001@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","key":"k1-139843210"}'
)


class Listener:
    """Counts what the bus delivers."""

    def __init__(self) -> None:
        self.entries = 0

    def receive(self, entries: Sequence[Entry]) -> None:
        self.entries += len(entries)

    def announce(self, heads: object) -> None:
        """Do nothing: only entries are counted."""

    def check(self, topics: object) -> None:
        """Do nothing: there is no log."""

    def doubt_epoch(self) -> None:
        """Do nothing: there is one epoch."""


def entry(room: int, seq: int) -> Entry:
    """Return a sent message as it is on the wire."""
    return parse_entry(ENTRY % (room, seq, room, seq))


def spread(values: Sequence[float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in
            (("median", median(values)), ("low", min(values)), ("high", max(values)))}  # fmt: skip


def repeat(work: Callable[[], object], count: int) -> dict[str, float]:
    """Return microseconds of CPU per unit of `work`, which does `count` units."""
    work()
    found = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        found.append((time.process_time() - before) / count * 1e6)
    return spread(found)


def codec() -> dict[str, Any]:
    """Encode and decode messages of one entry."""
    ours = Codec(b"secret", "node")
    one = entry(1, 5)
    payload = ours.encode("epoch", {"room:1": 5}, [one.text], everything=False)

    def encode() -> None:
        for _ in range(MESSAGES):
            ours.encode("epoch", {"room:1": 5}, [one.text], everything=False)

    def decode() -> None:
        for _ in range(MESSAGES):
            ours.decode(payload)

    return {
        "bus message bytes": len(payload),
        "entry bytes": len(one.text),
        "encode us": repeat(encode, MESSAGES),
        "decode us": repeat(decode, MESSAGES),
    }


def bus(port: int, nats: psutil.Process) -> dict[str, Any]:
    """Publish from one process to another: CPU of both and of NATS; memory and CPU per topic."""
    command = [sys.executable, "-m", "bench.scaling.micro", "--receive", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdin is not None
        assert receiver.stdout is not None
        subscribed = _answer(receiver.stdout)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sent = runner.run(_publish(port, nats))
        receiver.stdin.write("end\n")
        receiver.stdin.flush()
        received = _answer(receiver.stdout)
    assert received["entries"] > 0
    return {
        **subscribed,
        **sent,
        "receive us": received["cpu"] / received["entries"] * 1e6,
        "received": received["entries"],
    }


def _answer(lines: IO[str]) -> dict[str, Any]:
    """Return the next line in JSON; the others are of the log."""
    for line in lines:
        if line.startswith('{"'):
            found: dict[str, Any] = json.loads(line)
            return found
    raise RuntimeError("the receiver ended")


async def _publish(port: int, nats: psutil.Process) -> dict[str, Any]:
    """Publish one message of one entry at a time, at 500 per second, as far below saturation as nodes are."""
    ours = NatsBus(NatsOptions((f"nats://127.0.0.1:{port}",)), "bench", Codec(b"secret", "sender"))
    ours.epoch = "epoch"
    ours.start(Listener())
    while not ours.connected:  # noqa: ASYNC110  the bus has no event for it
        await asyncio.sleep(0.01)
    entries = [[entry(number % TOPICS, number + 1)] for number in range(MESSAGES)]
    await asyncio.sleep(0.5)
    before, broker = time.process_time(), _cpu(nats)
    for one in entries:
        ours.publish(one)
        await asyncio.sleep(0.002)
    used, broker = time.process_time() - before, _cpu(nats) - broker
    before = time.process_time()
    for _ in entries:
        await asyncio.sleep(0.002)
    waited = time.process_time() - before
    await asyncio.sleep(0.5)
    await ours.close()
    return {"publish us": (used - waited) / MESSAGES * 1e6, "nats us": broker / MESSAGES * 1e6}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def receive(port: int) -> None:
    """Subscribe to TOPICS topics, print what they cost, receive until a line of input, print that."""
    listener = Listener()
    ours = NatsBus(NatsOptions((f"nats://127.0.0.1:{port}",)), "bench", Codec(b"secret", "receiver"))
    ours.epoch = "epoch"
    ours.start(listener)
    while not ours.connected:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    gc.collect()
    memory, before = psutil.Process().memory_info().rss, time.process_time()
    for number in range(TOPICS):
        ours.join(f"room:{number}")
    while len(ours._subscriptions) < TOPICS + 1:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    used = time.process_time() - before
    grown = psutil.Process().memory_info().rss - memory
    print(json.dumps({"topic bytes": grown / TOPICS, "subscribe us": used / TOPICS * 1e6}), flush=True)
    before = time.process_time()
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps({"cpu": time.process_time() - before, "entries": listener.entries}), flush=True)
    await ours.close()


def heads(url: str) -> dict[str, Any]:
    """Compare the heads of HEADS topics with the log, as positioning does."""
    with closing(Database(url)) as database:
        migrate.upgrade(database, epoch="first", now=1)
        wanted = [f"room:{number * 7 + 1001}" for number in range(HEADS)]
        address = url.replace("+psycopg", "")
        with psycopg.connect(address) as probe:
            backend = probe.execute("SELECT pg_backend_pid()").fetchone()
            assert backend is not None
            postmaster = psutil.Process(backend[0]).parent()
            assert postmaster is not None
            probe.execute(
                "INSERT INTO topics (topic, head, floor, n)"
                " SELECT 'room:' || i, 1, 0, 0 FROM generate_series(1000, 201000) i"
            )
            probe.commit()
            probe.execute("ANALYZE topics")
            probe.commit()
            before = _tree(postmaster)
            node = repeat(lambda: database.read(log.heads, wanted), HEADS)
            used = _tree(postmaster) - before
    return {"heads node us": node, "heads database us": used / (ROUNDS + 1) / HEADS * 1e6}


def _tree(process: psutil.Process) -> float:
    return sum(map(_cpu, (process, *process.children(recursive=True))))


def tls() -> dict[str, Any]:
    """Make full TLS 1.3 handshakes with a P-256 certificate in memory: CPU of the server's side."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = f"{folder}/c.pem", f"{folder}/k.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=bench", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        found = []
        for _ in range(ROUNDS):
            spent = sum(_handshake(server, client) for _ in range(GREETED))
            found.append(spent / GREETED * 1e6)
    return {"tls handshake us": spread(found)}


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> float:
    """Return the CPU seconds of the server's side of one handshake."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = server.wrap_bio(up, down, server_side=True)
    far = client.wrap_bio(down, up)
    spent = 0.0
    for _ in range(3):
        _advance(far.do_handshake)
        before = time.process_time()
        _advance(near.do_handshake)
        spent += time.process_time() - before
    return spent


def _advance(step: Callable[[], object]) -> None:
    """Do a step of a handshake that may want more bytes."""
    try:
        step()
    except ssl.SSLWantReadError:
        return


@contextmanager
def nats_server() -> Iterator[tuple[int, psutil.Process]]:
    port, cpus = free_port(), ",".join(map(str, sorted(os.sched_getaffinity(0))))
    command = [str(Path(sys.executable).parent / "nats-server"), "-a", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryDirectory() as folder, Server(command, port, Path(folder) / "log", cpus) as server:
        yield port, server._process


def main() -> None:
    if len(sys.argv) > 2:
        uvloop.run(receive(int(sys.argv[2])))
        return
    found: dict[str, Any] = {**codec(), **tls()}
    with ExitStack() as stack:
        port, nats = stack.enter_context(nats_server())
        memory = nats.memory_info().rss
        found.update(bus(port, nats))
        found["nats topic bytes"] = (nats.memory_info().rss - memory) / TOPICS
        url = stack.enter_context(database_url("postgresql"))
        assert url is not None
        found.update(heads(url))
    print(json.dumps(found, indent=1))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
