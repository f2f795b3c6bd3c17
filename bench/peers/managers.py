"""Two connection managers behind the same FastAPI endpoint on uvicorn.

They are the plain manager and Hubbub's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.peers.peer import Peer


def _uvicorn(app: str, websockets: str, port: int) -> Sequence[str]:
    return [
        *(sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--ws", websockets, "--ws-per-message-deflate", "false"),
        *("--backlog", "4096", "--log-level", "warning", "--no-access-log"),
    ]


def _load(text: str) -> Sequence[str]:
    return ["--path", "/ws", "--message", text]


FASTAPI = Peer(
    name="plain FastAPI manager",
    does="fan-out only, in memory",
    command=lambda port: _uvicorn("bench.peers.fastapi_app:app", "websockets-sansio", port),
    load=_load,
)

HUBBUB_MANAGER = Peer(
    name="hubbub ConnectionManager",
    does="fan-out only, in memory, bounded outboxes",
    command=lambda port: _uvicorn("bench.peers.hubbub_app:app", "hubbub:WebSocketProtocol", port),
    load=_load,
)
