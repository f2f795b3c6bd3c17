"""The description of a measured server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Peer:
    """A server.

    `command` returns its argv for a port; `load` the generator's options for a message text.
    """

    name: str
    does: str
    command: Callable[[int], Sequence[str]]
    load: Callable[[str], Sequence[str]]
    environment: dict[str, str] = field(default_factory=dict)
    ready_path: str | None = None
    acknowledges: bool = False
