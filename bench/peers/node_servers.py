"""Two Node servers: the usual loop over sockets with `ws`, and a socket.io room."""

from __future__ import annotations

from collections.abc import Sequence

from bench import install
from bench.peers.peer import Peer


def peers() -> list[Peer]:
    """Return both peers; an empty list if npm could not install them."""
    node = install.node()
    if node is None:
        return []
    return [
        Peer(
            name="Node ws",
            does="fan-out only, in memory",
            command=lambda port: [node, str(install.NODE / "ws.js"), str(port)],
            load=lambda text: ["--path", "/", "--message", text],
        ),
        Peer(
            name="socket.io",
            does="fan-out to a room, in memory",
            command=lambda port: [node, str(install.NODE / "socketio.js"), str(port)],
            load=_socket_io,
        ),
    ]


def _socket_io(text: str) -> Sequence[str]:
    """Return the generator's options for Engine.IO 4 with Socket.IO 5 in it.

    Engine.IO: `0…` opens, `2` pings, `3` pongs, `4` is a message. Socket.IO: `0` connects, `2` is
    an event.
    """
    return [
        *("--path", "/socket.io/?EIO=4&transport=websocket", "--hello", "40", "--ready", "40{", "--answer", "23"),
        *("--message", f'42["message","{text}"]'),
    ]
