"""Figures as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.machine import Machine
from bench.targets import Verdicts
from bench.workloads import Measurement

Labelled = Sequence[tuple[str, Measurement]]
Notes = Mapping[str, list[float]]

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
        f"  {workload:<15} {measurement.peer:<26} {phase.deliveries_per_second:>11,.0f} deliveries/s"
        f" {phase.messages_per_second:>9,.0f} msg/s  {measurement.cpu_microseconds:>6.2f} us CPU/delivery"
        f"  p50 {phase.latency_ms('delivery', 'p50'):>7.2f} p99 {phase.latency_ms('delivery', 'p99'):>7.2f} ms"
        f"  CPUs: server {measurement.cpu.total / phase.seconds:.2f} generator {phase.generator_busy:.2f}"
        f" others {measurement.others:.2f}" + "".join(f"  !! {fault}" for fault in measurement.faults)
    )


def summary(measurements: Labelled) -> str:
    """The medians, one line per workload and server."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for workload, measurement in measurements:
        groups.setdefault((workload, measurement.peer), []).append(measurement)
    lines = [
        "Medians",
        f"{'workload':<15} {'server':<26} {'deliveries/s':>13} {'msg/s':>9} {'us/del':>7} {'p50 ms':>8} {'p99 ms':>8}",
    ]
    for (workload, server), group in groups.items():
        phases = [measurement.phase for measurement in group]
        lines.append(
            f"{workload:<15} {server:<26} {median(p.deliveries_per_second for p in phases):>13,.0f}"
            f" {median(p.messages_per_second for p in phases):>9,.0f}"
            f" {median(measurement.cpu_microseconds for measurement in group):>7.2f}"
            f" {median(p.latency_ms('delivery', 'p50') for p in phases):>8.2f}"
            f" {median(p.latency_ms('delivery', 'p99') for p in phases):>8.2f}"
        )
    return "\n".join(lines)


def verdict(rows: Verdicts, notes: Notes, faults: Sequence[str]) -> str:
    lines = ["Targets of the first release"]
    for target, values, met in rows:
        word = "MISSED" if not met else "" if target.limit is None else "met"
        lines.append(f"{word:<6} {target.name:<11} {spread(values):<34} {target.asked():<15} {target.what}")
    lines += [f"       {name}: {spread(values)}" for name, values in notes.items()]
    return "\n".join([*lines, *(f"FAULT  {fault}" for fault in faults)])


def spread(values: Sequence[float]) -> str:
    """Median, and lowest to highest where there is more than one."""
    if not values:
        return "not measured"
    return f"{median(values):,.2f}" + (f" ({min(values):,.2f} to {max(values):,.2f})" if len(values) > 1 else "")


def as_json(
    machine: Machine, measurements: Labelled, rows: Verdicts, notes: Notes, faults: Sequence[str]
) -> dict[str, Any]:
    return {
        "machine": asdict(machine),
        "measurements": [
            {
                "workload": workload,
                "server": m.peer,
                "cpu": asdict(m.cpu),
                "cpu_us": m.cpu_microseconds,
                "cpus_of_others": m.others,
                **m.phase.raw,
            }
            for workload, m in measurements
        ],
        "targets": [
            {
                **asdict(target),
                "asked": target.asked(),
                "asked_later": target.asked_later(),
                "samples": values,
                "met": met,
                "met_later": bool(values) and target.met_later(values),
            }
            for target, values, met in rows
        ],
        "notes": dict(notes),
        "faults": list(faults),
    }
