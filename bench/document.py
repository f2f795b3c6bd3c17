"""Writes the figures and plots of a series into the documentation.

Figures go between the markers in docs/performance.md and README.md, plots to docs/*.svg.

`python -m bench.document` repeats this with the last series.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import plot
from bench.load import BUILD
from bench.plot import Results
from bench.report import spread
from bench.targets import TARGETS

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- figures: written by `make bench ARGS=--document` -->", "<!-- /figures -->"
BEGIN_POSTGRESQL = '<!-- figures: written by `make bench ARGS="T4 T5 --database postgresql --document"` -->'


def write(results: Results, root: Path = ROOT) -> None:
    """Write the documentation.

    Raises ValueError if a target was not measured: no figures from different days.

    A series on another database than SQLite goes into a section of its own, whatever it measured.
    """
    if results["series"]["database"] != "SQLite":
        _replace(root / "docs/performance.md", f"{_machine(results)}\n\n{_targets(results)}", BEGIN_POSTGRESQL)
        return
    measured = {target["name"] for target in results["targets"] if target["samples"]}
    missing = [target.name for targets in TARGETS.values() for target in targets if target.name not in measured]
    if missing:
        raise ValueError(f"not measured: {', '.join(missing)}")
    for name, svg in plot.charts(results).items():
        (root / "docs" / name).write_text(svg)
    _replace(root / "docs/performance.md", figures(results))
    _replace(root / "README.md", summary(results))


def figures(results: Results) -> str:
    """Return the part of docs/performance.md that a series determines."""
    return "\n\n".join(
        [
            _machine(results),
            "![How many times better than asked each target is](targets.svg)",
            _targets(results),
            "![Deliveries a second of all servers, side by side](fan-out.svg)",
            _workloads(results),
            "![Latency of durable messages under constant load](latency.svg)",
            _notes(results),
        ]
    )


def summary(results: Results) -> str:
    """Return README's paragraph."""
    value = {target["name"]: median(target["samples"]) for target in results["targets"]}
    rates = _rates(results)
    others = sorted((name for name in rates if not name.startswith("hubbub")), key=lambda name: -rates[name])
    best = others[0]
    return (
        "## How fast\n\n"
        "Side by side on one core ([how, and on what](docs/performance.md)): the whole server, which stores every\n"
        f"message on disk before it delivers it, makes {rates['hubbub server']:,.0f} deliveries per second to 1,000"
        f" readers,\n{value['T1']:.1f} times as many as {best}, the fastest of {', '.join(others[:-1])} and\n"
        f"{others[-1]}, none of which stores messages. `ConnectionManager` alone makes {value['T0']:.1f} times as\n"
        f"many as {best}. A single message is stored and received after {value['T5 p50']:.1f} ms, an idle connection"
        f" takes\n{value['T6']:.1f} KB of memory, and {value['T7 steady']:,.0f} users per second can connect.\n\n"
        "![Deliveries per second of all servers, side by side](docs/fan-out.svg)"
    )


def _machine(results: Results) -> str:
    machine, series = results["machine"], results["series"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    disk = f"fdatasync of 4 KiB {machine['fdatasync_ms']:.2f} ms"
    busy = median(measurement["cpus_of_others"] for measurement in results["measurements"])
    return (
        f"{machine['cpus']} virtual cores of an {machine['cpu']}, Linux {machine['kernel']},"
        f" Python {machine['python']}, {series['database']}, {versions}, {disk}.\n"
        f"{series['runs']} runs with phases of {series['seconds']:g} s; other programs used {busy:.2f} CPUs meanwhile."
    )


def _targets(results: Results) -> str:
    rows = []
    for target in results["targets"]:
        verdict = "" if target["limit"] is None else "met" if target["met"] else "**missed**"
        verdict_later = "met" if target["met_later"] else "not yet"
        measured = spread(target["samples"])
        rows.append(
            [
                *(target["name"], target["what"], target["asked"], measured, verdict),
                *(target["asked_later"], verdict_later),
            ]
        )
    head = ["Target", "What", "First release", "Measured (lowest to highest)", "", "Later", ""]
    return _table(head, rows)


def _workloads(results: Results) -> str:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for measurement in results["measurements"]:
        groups.setdefault((measurement["workload"], measurement["server"]), []).append(measurement)
    rows = []
    for (workload, server), group in groups.items():
        latencies = [
            median(measurement["delivery_us"][name] for measurement in group) / 1000 for name in ("p50", "p99", "p999")
        ]
        rows.append(
            [
                workload,
                server,
                f"{median(measurement['deliveries_per_s'] for measurement in group):,.0f}",
                f"{median(measurement['messages_per_s'] for measurement in group):,.0f}",
                f"{median(measurement['cpu_us'] for measurement in group):.2f} µs",
                *(f"{value:.2f} ms" for value in latencies),
                f"{median(measurement['cpus_of_others'] for measurement in group):.2f}",
            ]
        )
    head = ["Workload", "Server", "deliveries/s", "messages/s", "CPU per delivery", "p50", "p99", "p99.9", "others"]
    return _table(head, rows)


def _notes(results: Results) -> str:
    return _table(["Also measured", "Value"], [[name, spread(values)] for name, values in results["notes"].items()])


def _rates(results: Results) -> dict[str, float]:
    servers: dict[str, list[float]] = {}
    for measurement in results["measurements"]:
        if measurement["workload"] == "fan-out":
            servers.setdefault(measurement["server"], []).append(measurement["deliveries_per_s"])
    return {name: median(values) for name, values in servers.items()}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _replace(page: Path, text: str, marker: str = BEGIN) -> None:
    before, begin, rest = page.read_text().partition(marker)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no figures markers")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    write(json.loads((BUILD / "results.json").read_text()))
