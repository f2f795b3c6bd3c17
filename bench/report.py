"""Figures as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
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


def summary(measurements: Labelled) -> str:
    """The median over the runs, one row per workload and server."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for workload, measurement in measurements:
        groups.setdefault((workload, measurement.peer), []).append(measurement)
    rows = [
        "Medians",
        f"{'workload':<14} {'server':<26} {'deliveries/s':>13} {'msg/s':>9} {'us/del':>7} {'p50 ms':>8} {'p99 ms':>8}",
    ]
    for (workload, peer), group in groups.items():
        rows.append(
            f"{workload:<14} {peer:<26} {median(m.phase.deliveries_per_second for m in group):>13,.0f}"
            f" {median(m.phase.messages_per_second for m in group):>9,.0f}"
            f" {median(m.cpu_microseconds for m in group):>7.2f}"
            f" {median(m.phase.latency_ms('delivery', 'p50') for m in group):>8.2f}"
            f" {median(m.phase.latency_ms('delivery', 'p99') for m in group):>8.2f}"
        )
    return "\n".join(rows)


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
