"""Core NATS over its own TCP protocol.

Readers subscribe to one subject, senders publish to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.peers.peer import Peer

NATS = Peer(
    name="nats-server",
    does="fan-out only, in memory, no order between authors",
    command=lambda port: [str(Path(sys.executable).parent / "nats-server"), "-a", "127.0.0.1", "-p", str(port)],
    load=lambda text: ["--nats", "--message", text],
)
