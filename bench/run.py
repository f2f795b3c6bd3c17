"""Measure, compare and report which targets are met.

`python -m bench [T0 T1 ...] [--runs 5] [--quick]`
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import document, load, report
from bench.install import install, versions
from bench.machine import describe
from bench.peers import mosquitto, node_servers
from bench.peers.hubbub_server import HubbubServer
from bench.peers.managers import FASTAPI
from bench.peers.nats import NATS
from bench.postgresql import database_url
from bench.runs import Runs
from bench.targets import TARGETS, verdicts
from bench.workloads import Bench


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{' '.join(TARGETS)}; all by default")
    parser.add_argument("--runs", type=int, default=5, help="number of interleaved runs; medians are reported")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a phase")
    parser.add_argument("--patience", type=float, default=4.0, help="seconds to wait for an idle machine, each time")
    parser.add_argument("--quick", action="store_true", help="one short run, not precise enough for documentation")
    parser.add_argument("--database", metavar="URL", help="instead of SQLite; `postgresql` starts a temporary server")
    parser.add_argument("--document", action="store_true", help="write the figures and plots into docs/ and README.md")
    parser.add_argument("--json", type=Path, default=load.BUILD / "results.json", help="file to write the figures to")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}")
    if chosen.quick:
        chosen.runs, chosen.seconds, chosen.patience = 1, 1.5, 0.0
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    chosen = arguments(argv)
    wanted = set(chosen.targets or TARGETS)
    load.build()
    install()
    machine = describe(load.BUILD, versions())
    print(report.heading(machine), flush=True)
    folder = Path(
        tempfile.mkdtemp(dir=load.BUILD)
    )  # on the checkout's disk: /tmp may be in memory, where fsync is free
    try:
        with database_url(chosen.database) as url:
            bench = Bench(folder, chosen.seconds, chosen.patience)
            peers = [NATS, *mosquitto.peers(), *node_servers.peers(), FASTAPI]  # add further servers here
            runs = Runs(bench, peers, HubbubServer(folder, url), wanted, quick=chosen.quick)
            for number in range(chosen.runs):
                print(f"run {number + 1} of {chosen.runs}, load {os.getloadavg()[0]:.2f}", flush=True)
                runs.run()
    finally:
        shutil.rmtree(folder)
    rows = verdicts(wanted, runs.samples)
    print(report.summary(runs.measurements), report.verdicts(rows, runs.notes, runs.faults), sep="\n\n")
    results = report.as_json(machine, runs.measurements, rows, runs.notes, runs.faults)
    database = chosen.database.partition("+")[0].partition(":")[0] if chosen.database else "SQLite"  # no password
    results["series"] = {"runs": chosen.runs, "seconds": chosen.seconds, "database": database}
    chosen.json.write_text(json.dumps(results, indent=1))
    if chosen.document:
        document.write(results)
    return 0 if not runs.faults and all(met for _, _, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
