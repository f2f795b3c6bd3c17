"""Measure real nodes on PostgreSQL and NATS, far below saturation.

    python -m bench.scaling.measure [--nodes 1 2 3] [--seconds 15]

The load on one node gives costs (`costs.py`), the load on two and three nodes is compared with what
the model predicts from them. Each call adds a series to `measured.json` beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import uvloop
from sqlalchemy.engine import make_url

from bench.machine import busy_seconds
from bench.peers.hubbub_server import ENVIRONMENT
from bench.postgresql import database_url
from bench.scaling.clients import Client, Seen, chat, connect, flood
from bench.server import Server, free_port

RESULTS = Path(__file__).with_name("measured.json")
ACCOUNTS = 40
AT_ONCE = 8
"""Connections that are opened at a time."""
SETTLE = 1.0
WINDOW = 256


@dataclass(frozen=True, slots=True)
class Load:
    """Clients in `rooms` of equal size on `nodes`, and what they send per second together."""

    name: str
    nodes: int
    connections: int
    rooms: int
    sends: float
    reads: float = 0.0


def loads(nodes: int) -> list[Load]:
    """Return the loads of a number of nodes."""
    return [
        Load("lone messages", nodes, 12, 1, 20),
        Load("rooms of 20", nodes, 200, 10, 100),
        Load("rooms of 20, busy", nodes, 200, 10, 250),
        Load("one room of 200", nodes, 200, 1, 20),
        Load("with read positions", nodes, 200, 10, 50, 150),
    ]


class Site:
    """Nodes on one PostgreSQL and one NATS, and how to read what they have used."""

    def __init__(self, nodes: list[Server], nats: Server, url: str) -> None:
        self.nodes, self._nats = nodes, nats
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(address, autocommit=True)
        backend = self._connection.execute("SELECT pg_backend_pid()").fetchone()
        assert backend is not None
        found = psutil.Process(backend[0]).parent()
        assert found is not None
        self._postmaster = found

    def close(self) -> None:
        self._connection.close()

    def sample(self) -> dict[str, Any]:
        """Return what has been used and counted until now."""
        row = self._connection.execute(
            "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn,"
            " (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())"
        ).fetchone()
        assert row is not None
        scraped = [_metrics(node.port) for node in self.nodes]
        return {
            "nodes": [node.cpu().total for node in self.nodes],
            "database": _tree_cpu(self._postmaster),
            "nats": self._nats.cpu().total,
            "clients": sum(os.times()[:2]),
            "all": busy_seconds(),
            "wal": float(row[0]),
            "commits": [each["hubbub_commit_seconds_count"] for each in scraped],
            "commit_seconds": [each["hubbub_commit_seconds_sum"] for each in scraped],
            "sent": [each['hubbub_bus_messages_total{outcome="sent"}'] for each in scraped],
            "received": [each['hubbub_bus_messages_total{outcome="received"}'] for each in scraped],
            "repaired": sum(each["hubbub_bus_repairs_total"] for each in scraped),
        }


def _metrics(port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}


def _tree_cpu(process: psutil.Process) -> float:
    """Return the CPU seconds of the database, with those of the backends that have ended."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        total += times.user + times.system
        if each.pid == process.pid:
            total += times.children_user + times.children_system
    return total


def difference(after: Any, before: Any) -> Any:
    """Return `after` minus `before`, also within lists and dictionaries."""
    if isinstance(after, dict):
        return {name: difference(after[name], before[name]) for name in after}
    if isinstance(after, list):
        return [difference(*pair) for pair in zip(after, before, strict=True)]
    return after - before


@contextmanager
def started(count: int, folder: Path) -> Iterator[Site]:
    """Start `count` nodes with a new database and a NATS server."""
    folder.mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(database_url("postgresql"))
        assert url is not None
        port, everywhere = free_port(), ",".join(map(str, sorted(os.sched_getaffinity(0))))
        program = str(Path(sys.executable).parent / "nats-server")
        command = [program, "-a", "127.0.0.1", "-p", str(port)]
        nats = stack.enter_context(Server(command, port, folder / "nats.log", everywhere))
        environment = ENVIRONMENT | {"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": f"nats://127.0.0.1:{port}"}
        nodes = []
        for number in range(count):
            mine = free_port()
            hubbub = [str(Path(sys.executable).parent / "hubbub"), "serve", "--host", "127.0.0.1", "--port", str(mine)]
            hubbub += ["--data", str(folder / f"node{number}")]
            log = folder / f"node{number}.log"
            node = Server(hubbub, mine, log, everywhere, environment, "/health/ready")
            nodes.append(stack.enter_context(node))
        site = Site(nodes, nats, url)
        stack.callback(site.close)
        yield site


class Accounts:
    """Accounts, and public rooms with the first accounts as members."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._password = secrets.token_hex(12)
        self.tokens = [self._sign_up(f"user{number}") for number in range(ACCOUNTS)]
        self._rooms: dict[tuple[int, int], list[int]] = {}

    def _sign_up(self, name: str) -> str:
        credentials = {"username": name, "password": self._password}
        _post(self._port, "/api/users", credentials)
        return str(_post(self._port, "/token", urllib.parse.urlencode(credentials))["access_token"])

    def rooms(self, count: int) -> list[int]:
        """Return `count` new rooms. Account i is a member of room i modulo the count."""
        made = []
        for number in range(count):
            mine = self.tokens[number::count]
            room = {"kind": "public", "name": f"Room {secrets.token_hex(4)}", "key": secrets.token_hex(8)}
            found = int(_post(self._port, "/api/rooms", room, mine[0])["room"]["id"])
            for token in mine[1:]:
                _post(self._port, f"/api/rooms/{found}/join", {}, token)
            made.append(found)
        return made


def _post(port: int, path: str, body: dict[str, str] | str, token: str | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request("POST", path, body if isinstance(body, str) else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        raise RuntimeError(f"POST {path} answered {answer.status}: {text.decode(errors='replace')}")
    found: dict[str, Any] = json.loads(text)
    return found


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """Return the median, the 90th and the 99th percentile in ms."""
    ordered = sorted(latencies)
    if not ordered:
        return {}
    return {f"p{share}": round(1000 * ordered[min(len(ordered) * share // 100, len(ordered) - 1)], 3)
            for share in (50, 90, 99)}  # fmt: skip


async def open_all(site: Site, accounts: Accounts, load: Load, rooms: Sequence[int]) -> list[Client]:
    """Open the load's connections, spread over nodes and accounts."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Client:
        async with turn:
            account = number % ACCOUNTS
            node = (number // ACCOUNTS + number) % load.nodes
            return await connect(site.nodes[node].port, node, rooms[account % load.rooms], accounts.tokens[account])

    return list(await asyncio.gather(*(one(number) for number in range(load.connections))))


async def run(site: Site, accounts: Accounts, load: Load, seconds: float, chance: random.Random) -> dict[str, Any]:
    """Run one load and return what was measured."""
    rooms = await asyncio.to_thread(accounts.rooms, load.rooms)
    await asyncio.sleep(SETTLE)
    before = await asyncio.to_thread(site.sample)
    clients = await open_all(site, accounts, load, rooms)
    await asyncio.sleep(SETTLE)
    greeted = difference(await asyncio.to_thread(site.sample), before)
    await chat(clients, 20, 0, 1.0, 10**6, chance)  # warm
    before, at = await asyncio.to_thread(site.sample), asyncio.get_running_loop().time()
    seen = await chat(clients, load.sends, load.reads, seconds, 2 * 10**6, chance)
    used = difference(await asyncio.to_thread(site.sample), before)
    elapsed = asyncio.get_running_loop().time() - at
    for client in clients:
        client.close()
    await asyncio.sleep(SETTLE)
    return {
        **asdict(load),
        "seconds": elapsed,
        "greetings": {"count": load.connections, **greeted},
        "used": used,
        **_seen(seen),
    }


def _seen(seen: Seen) -> dict[str, Any]:
    lost = sum(seen.left.values())
    if lost or seen.extra or seen.refused:
        raise RuntimeError(f"{lost} deliveries lost, {seen.extra} repeated, {seen.refused} commands refused")
    return {
        "messages": len(seen.sent),
        "read_commands": seen.reads,
        "deliveries": len(seen.near) + len(seen.far),
        "ack_ms": percentiles(seen.acked),
        "near_ms": percentiles(seen.near),
        "far_ms": percentiles(seen.far),
    }


async def idle(site: Site, seconds: float) -> dict[str, Any]:
    """Return what nodes without clients use."""
    before = await asyncio.to_thread(site.sample)
    await asyncio.sleep(seconds)
    return {"seconds": seconds, "used": difference(await asyncio.to_thread(site.sample), before)}


async def flooded(site: Site, accounts: Accounts, seconds: float) -> dict[str, Any]:
    """Send as fast as one node acknowledges: large batches show the cost of a command without its commit."""
    load = Load("flood", 1, 10, 1, 0)
    rooms = await asyncio.to_thread(accounts.rooms, 1)
    clients = await open_all(site, accounts, load, rooms)
    before = await asyncio.to_thread(site.sample)
    acked, elapsed = await flood(clients, WINDOW, seconds, 10**6)
    used = difference(await asyncio.to_thread(site.sample), before)
    for client in clients:
        client.close()
    return {**asdict(load), "seconds": elapsed, "messages": acked, "deliveries": 10 * acked, "used": used}


async def measure(count: int, seconds: float, folder: Path, *, index: bool) -> list[dict[str, Any]]:
    """Start nodes and run all loads on them."""
    found = []
    chance = random.Random(count)
    with started(count, folder / f"site{count}") as site:
        if not index:
            data = str(folder / f"site{count}" / "node0")
            pause = [str(Path(sys.executable).parent / "hubbub"), "follower", "pause", "search", "--data", data]
            subprocess.run(pause, check=True)
        accounts = await asyncio.to_thread(Accounts, site.nodes[0].port)
        quiet = await idle(site, seconds)
        for load in loads(count):
            measured = await run(site, accounts, load, seconds, chance)
            print(json.dumps(measured), flush=True)
            found.append({**measured, "idle": quiet})
        if count == 1:
            measured = await flooded(site, accounts, seconds / 2)
            print(json.dumps(measured), flush=True)
            found.append({**measured, "idle": quiet})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument(
        "--without-index", action="store_true", help="pause the search index: its cost is the difference"
    )
    given = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parent = Path("bench/out")
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for count in given.nodes:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                place = Path(folder).absolute()
                measured = runner.run(measure(count, given.seconds, place, index=not given.without_index))
            name = f"nodes{count}" + (" without index" if given.without_index else "")
            known.setdefault(name, []).append(measured)
            RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
