"""The load generator as seen from Python.

It builds the C programs, opens connections and runs phases.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
BUILD = HERE / "out"
GENERATOR_CPU = "1"


def build() -> None:
    """Compile the generator and the floor if their sources are newer."""
    BUILD.mkdir(exist_ok=True)
    _compile(BUILD / "generator", sorted((HERE / "generator").glob("*.c")), sorted((HERE / "generator").glob("*.h")))
    _compile(BUILD / "floor", [HERE / "floor.c"], [])


def _compile(program: Path, sources: Sequence[Path], headers: Sequence[Path]) -> None:
    newest = max(file.stat().st_mtime for file in (*sources, *headers))
    if not program.exists() or program.stat().st_mtime < newest:
        subprocess.run(["gcc", "-O2", "-flto", "-o", str(program), *map(str, sources)], check=True)


def text_of(size: int) -> str:
    """Return a message of `size` bytes with the stamp that readers look for.

    No server parses the stamp as a mention.
    """
    return "x@$SEQ@" + "x" * (size - 11)


class LoadError(Exception):
    """The generator could not open its connections, or died in a phase."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What the generator measured in one phase; times in microseconds."""

    raw: dict[str, Any]

    @property
    def deliveries(self) -> int:
        return int(self.raw["deliveries"])

    @property
    def seconds(self) -> float:
        return float(self.raw["seconds"])

    @property
    def generator_busy(self) -> float:
        """The generator's share of a CPU: at 1 the generator would be the bottleneck."""
        return float(self.raw["generator_busy"])

    @property
    def deliveries_per_second(self) -> float:
        return float(self.raw["deliveries_per_s"])

    @property
    def messages_per_second(self) -> float:
        return float(self.raw["messages_per_s"])

    @property
    def bytes_per_delivery(self) -> float:
        return float(self.raw["bytes_per_delivery"])

    def latency_ms(self, of: str, percentile: str) -> float:
        """Return a latency. `of` is delivery or ack; `percentile` is p50, p99 or p999."""
        return float(self.raw[f"{of}_us"][percentile]) / 1000

    def faults(self, *, acknowledged: bool) -> list[str]:
        """Return the errors of the phase.

        These are readers without exactly every message, rejections and lost connections.
        """
        wrong = [
            f"{name} {self.raw[name]}"
            for name in ("incomplete", "wrong_readers", "duplicates", "strays", "refused", "failures")
            if self.raw[name]
        ]
        if acknowledged and self.raw["acks"] != self.raw["messages"]:
            wrong.append(f"acknowledged {self.raw['acks']} of {self.raw['messages']}")
        if acknowledged and not self.raw["same_order"]:
            wrong.append("readers saw different orders")
        return wrong


class Load:
    """Open connections to servers; `run` runs a phase over them."""

    def __init__(self, port: int | Sequence[int], arguments: Sequence[str]) -> None:
        """Connect to one server, or to several: connection i to port i modulo their count."""
        ports = ",".join(map(str, [port] if isinstance(port, int) else port))
        self._command = ["taskset", "-c", GENERATOR_CPU, str(BUILD / "generator"), "--port", ports, *arguments]

    def __enter__(self) -> Load:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            self._line()
        except LoadError:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def run(self, phase: str) -> Phase:
        """Run `closed WINDOW MESSAGES SECONDS` or `open RATE SECONDS`; see generator.c."""
        return Phase(json.loads(self.command(phase)))

    def command(self, line: str) -> str:
        """Send one of the generator's commands and return the line it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        assert self._process.stderr is not None
        raise LoadError(self._process.stderr.read()[-2000:])

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()
