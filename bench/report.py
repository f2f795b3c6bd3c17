"""Figures as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.machine import Machine
from bench.targets import Target
from bench.workloads import Measurement

Labelled = Sequence[tuple[str, Measurement]]
Verdicts = Sequence[tuple[Target, list[float], bool]]

QUIET = 0.5  # load average above which somebody else is at work


def heading(machine: Machine) -> str:
    text = (
        f"{machine.cpus} x {machine.cpu}, Linux {machine.kernel}, Python {machine.python}, "
        f"fdatasync {machine.fdatasync_ms:.2f} ms, load {machine.load_average:.2f}"
    )
    if machine.load_average > QUIET:
        text += "\nNot a quiet machine: expect absolute figures to suffer; ratios are taken side by side."
    return text


def line(workload: str, measurement: Measurement) -> str:
    phase = measurement.phase
    return (
        f"  {workload:<14} {measurement.peer:<26} {phase.deliveries_per_second:>11,.0f} deliveries/s"
        f" {phase.messages_per_second:>9,.0f} msg/s  {measurement.cpu_microseconds:>6.2f} us CPU/delivery"
        f"  p50 {phase.latency_ms('delivery', 'p50'):>7.2f} p99 {phase.latency_ms('delivery', 'p99'):>7.2f} ms"
        f"  CPUs: server {measurement.cpu.total / phase.seconds:.2f} generator {phase.generator_busy:.2f}"
        f" others {measurement.others:.2f}" + "".join(f"  !! {fault}" for fault in measurement.faults)
    )


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the runs of one workload on one server."""

    workload: str
    server: str
    deliveries: float
    messages: float
    cpu: float
    p50: float
    p99: float
    others: float


def medians(measurements: Labelled) -> list[Row]:
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for workload, measurement in measurements:
        groups.setdefault((workload, measurement.peer), []).append(measurement)
    return [
        Row(
            workload,
            server,
            median(m.phase.deliveries_per_second for m in group),
            median(m.phase.messages_per_second for m in group),
            median(m.cpu_microseconds for m in group),
            median(m.phase.latency_ms("delivery", "p50") for m in group),
            median(m.phase.latency_ms("delivery", "p99") for m in group),
            median(m.others for m in group),
        )
        for (workload, server), group in groups.items()
    ]


def summary(measurements: Labelled) -> str:
    """The medians, one line per workload and server."""
    lines = [
        "Medians",
        f"{'workload':<14} {'server':<26} {'deliveries/s':>13} {'msg/s':>9} {'us/del':>7} {'p50 ms':>8} {'p99 ms':>8}",
    ]
    lines += [
        f"{row.workload:<14} {row.server:<26} {row.deliveries:>13,.0f} {row.messages:>9,.0f} {row.cpu:>7.2f}"
        f" {row.p50:>8.2f} {row.p99:>8.2f}"
        for row in medians(measurements)
    ]
    return "\n".join(lines)


def verdict(rows: Verdicts, faults: Sequence[str]) -> str:
    lines = ["Targets of the first release"]
    for target, values, met in rows:
        figures = f"{median(values):,.2f} ({min(values):,.2f} to {max(values):,.2f})" if values else "not measured"
        limit = f"{'>=' if target.at_least else '<='} {target.limit:,g} {target.unit}"
        lines.append(f"{'met   ' if met else 'MISSED'} {target.name:<11} {figures:<34} {limit:<15} {target.what}")
    return "\n".join([*lines, *(f"FAULT  {fault}" for fault in faults)])


def as_json(machine: Machine, measurements: Labelled, rows: Verdicts, faults: Sequence[str]) -> dict[str, Any]:
    return {
        "machine": asdict(machine),
        "measurements": [
            {
                "workload": workload,
                "server": m.peer,
                "cpu": asdict(m.cpu),
                "cpu_us": m.cpu_microseconds,
                "others": m.others,
                **m.phase.raw,
            }
            for workload, m in measurements
        ],
        "targets": [{**asdict(target), "samples": values, "met": met} for target, values, met in rows],
        "faults": list(faults),
    }


def markdown(measurements: Labelled, rows: Verdicts) -> str:
    """The tables of docs/performance.md."""
    lines = [
        "| Workload | Server | deliveries/s | messages/s | CPU per delivery | p50 | p99 | others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.workload} | {row.server} | {row.deliveries:,.0f} | {row.messages:,.0f} | {row.cpu:.2f} µs"
        f" | {row.p50:.2f} ms | {row.p99:.2f} ms | {row.others:.2f} |"
        for row in medians(measurements)
    ]
    lines += ["", "| Target | What | Asked | Measured (lowest to highest) | |", "|---|---|---|---|---|"]
    for target, values, met in rows:
        asked = f"{'≥' if target.at_least else '≤'} {target.limit:,g} {target.unit}"
        got = f"{median(values):,.2f} ({min(values):,.2f} to {max(values):,.2f})" if values else "not measured"
        lines.append(f"| {target.name} | {target.what} | {asked} | {got} | {'met' if met else 'missed'} |")
    return "\n".join(lines)
