"""The figures and plots of a series into docs/performance.md, docs/*.svg and README.md, between their marks.

`python -m bench.document` does it again with the last series.
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
    """Raises ValueError for a series that left a target out: half of the figures would be from another day.

    A series on another database than SQLite has a place of its own, for whatever it measured.
    """
    if results["series"]["database"] != "SQLite":
        _replace(root / "docs/performance.md", f"{_machine(results)}\n\n{_targets(results)}", BEGIN_POSTGRESQL)
        return
    measured = {one["name"] for one in results["targets"] if one["samples"]}
    missing = [target.name for targets in TARGETS.values() for target in targets if target.name not in measured]
    if missing:
        raise ValueError(f"not measured: {', '.join(missing)}")
    for name, svg in plot.charts(results).items():
        (root / "docs" / name).write_text(svg)
    _replace(root / "docs/performance.md", figures(results))
    _replace(root / "README.md", summary(results))


def figures(results: Results) -> str:
    """The part of docs/performance.md that differs from series to series."""
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
    """README's paragraph."""
    value = {one["name"]: median(one["samples"]) for one in results["targets"]}
    rates = _rates(results)
    others = sorted((name for name in rates if not name.startswith("hubbub")), key=lambda name: -rates[name])
    best = others[0]
    return (
        "## How fast\n\n"
        "Side by side on one core ([how, and on what](docs/performance.md)): the whole server, with every message on\n"
        f"disk before anybody sees it, makes {rates['hubbub server']:,.0f} deliveries a second to 1,000 readers,"
        f" {value['T1']:.1f} times as many as\n{best}, the fastest of {', '.join(others[:-1])} and {others[-1]},"
        f" none of which keeps anything.\n`ConnectionManager` alone makes {value['T0']:.1f} times as many as that one."
        f" A lone message is on disk and received after {value['T5 p50']:.1f} ms,\nan idle connection takes"
        f" {value['T6']:.1f} KB, and {value['T7 steady']:,.0f} people a second come in.\n\n"
        "![Deliveries a second of all servers, side by side](docs/fan-out.svg)"
    )


def _machine(results: Results) -> str:
    machine, series = results["machine"], results["series"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    disk = f"fdatasync of 4 KiB {machine['fdatasync_ms']:.2f} ms"
    busy = median(one["cpus_of_others"] for one in results["measurements"])
    return (
        f"{machine['cpus']} virtual cores of an {machine['cpu']}, Linux {machine['kernel']},"
        f" Python {machine['python']}, {series['database']}, {versions}, {disk}.\n"
        f"{series['runs']} runs of {series['seconds']:g} s a phase; other programs kept {busy:.2f} CPUs busy meanwhile."
    )


def _targets(results: Results) -> str:
    rows = []
    for one in results["targets"]:
        word = "" if one["limit"] is None else "met" if one["met"] else "**missed**"
        word_later = "met" if one["met_later"] else "not yet"
        rows.append(
            [one["name"], one["what"], one["asked"], spread(one["samples"]), word, one["asked_later"], word_later]
        )
    head = ["Target", "What", "First release", "Measured (lowest to highest)", "", "Later", ""]
    return _table(head, rows)


def _workloads(results: Results) -> str:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in results["measurements"]:
        groups.setdefault((one["workload"], one["server"]), []).append(one)
    rows = []
    for (workload, server), group in groups.items():
        latencies = [median(one["delivery_us"][name] for one in group) / 1000 for name in ("p50", "p99", "p999")]
        rows.append(
            [
                workload,
                server,
                f"{median(one['deliveries_per_s'] for one in group):,.0f}",
                f"{median(one['messages_per_s'] for one in group):,.0f}",
                f"{median(one['cpu_us'] for one in group):.2f} µs",
                *(f"{value:.2f} ms" for value in latencies),
                f"{median(one['cpus_of_others'] for one in group):.2f}",
            ]
        )
    head = ["Workload", "Server", "deliveries/s", "messages/s", "CPU per delivery", "p50", "p99", "p99.9", "others"]
    return _table(head, rows)


def _notes(results: Results) -> str:
    return _table(["Besides", "Measured"], [[name, spread(values)] for name, values in results["notes"].items()])


def _rates(results: Results) -> dict[str, float]:
    servers: dict[str, list[float]] = {}
    for one in results["measurements"]:
        if one["workload"] == "fan-out":
            servers.setdefault(one["server"], []).append(one["deliveries_per_s"])
    return {name: median(values) for name, values in servers.items()}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _replace(page: Path, text: str, mark: str = BEGIN) -> None:
    before, begin, rest = page.read_text().partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks its marks")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    write(json.loads((BUILD / "results.json").read_text()))
