"""The load generator as seen from Python: builds the C programs, opens the connections, runs phases."""

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
    """Compile generator and floor where their sources are newer."""
    BUILD.mkdir(exist_ok=True)
    _compile(BUILD / "generator", sorted((HERE / "generator").glob("*.c")), sorted((HERE / "generator").glob("*.h")))
    _compile(BUILD / "floor", [HERE / "floor.c"], [])


def _compile(program: Path, sources: Sequence[Path], headers: Sequence[Path]) -> None:
    newest = max(file.stat().st_mtime for file in (*sources, *headers))
    if not program.exists() or program.stat().st_mtime < newest:
        subprocess.run(["gcc", "-O2", "-flto", "-o", str(program), *map(str, sources)], check=True)


def text_of(size: int) -> str:
    """A message of that many bytes with the stamp the readers look for, which no server takes for somebody's name."""
    return "x@$SEQ@" + "x" * (size - 11)


class LoadError(Exception):
    """The generator could not open its connections or died in a phase."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What the generator saw in one phase; times in microseconds."""

    raw: dict[str, Any]

    @property
    def deliveries(self) -> int:
        return int(self.raw["deliveries"])

    @property
    def seconds(self) -> float:
        return float(self.raw["seconds"])

    @property
    def generator_busy(self) -> float:
        """The generator's own share of a CPU: at 1 it would be the bottleneck."""
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
        """`of` is delivery or ack; `percentile` p50, p99 or p999."""
        return float(self.raw[f"{of}_us"][percentile]) / 1000

    def faults(self, *, acknowledged: bool) -> list[str]:
        """What must not be: any reader without exactly every message, a refusal, a lost connection."""
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
    """Open connections to one server; `run` drives one phase over them."""

    def __init__(self, port: int, arguments: Sequence[str]) -> None:
        self._command = ["taskset", "-c", GENERATOR_CPU, str(BUILD / "generator"), "--port", str(port), *arguments]

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
        """`closed WINDOW MESSAGES SECONDS` or `open RATE SECONDS`; see generator.c."""
        return Phase(json.loads(self.tell(phase)))

    def tell(self, line: str) -> str:
        """Any of its commands; returns the line it answers with."""
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
