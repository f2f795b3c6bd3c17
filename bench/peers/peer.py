"""What every peer says about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Peer:
    """`command` makes the argv from a port, `load` the generator's arguments from a message text."""

    name: str
    does: str
    command: Callable[[int], Sequence[str]]
    load: Callable[[str], Sequence[str]]
    environment: dict[str, str] = field(default_factory=dict)
    ready_path: str | None = None
    acknowledges: bool = False
