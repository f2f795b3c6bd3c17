"""Mosquitto over MQTT 3.1.1 on TCP, quality of service 0.

Debian builds it without WebSockets.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench import install
from bench.load import BUILD
from bench.peers.peer import Peer

SETTINGS = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
persistence false
log_type error
"""


def peers() -> list[Peer]:
    """Return the broker's peer; an empty list if the broker is missing."""
    broker = install.mosquitto()
    if broker is None:
        return []

    def command(port: int) -> Sequence[str]:
        settings = BUILD / "mosquitto.conf"
        settings.write_text(SETTINGS.format(port=port))
        return [broker, "-c", str(settings)]

    return [
        Peer(
            name="Mosquitto",
            does="fan-out only, in memory",
            command=command,
            load=lambda text: ["--mqtt", "--message", text],
            environment={"LD_LIBRARY_PATH": install.libraries()},
        )
    ]
