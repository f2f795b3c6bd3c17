"""The operator's socket: HTTP for the system user who runs the server."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from hubbub.control import short_path
from hubbub.engine.stopping import Stopping
from hubbub.gateways.uvicorn_protocols import BoundedHttpProtocol
from hubbub.settings import Settings


@asynccontextmanager
async def operator_socket(app: Any, path: Path, settings: Settings, stopping: Stopping) -> AsyncIterator[ServerState]:
    """Serve `app` on the Unix socket `path`, which only the system user of this process can open.

    The data folder's lock must be held. On leaving, requests have as long as `stopping` says, or
    `drain_seconds` from then on, to finish.
    """
    config = uvicorn.Config(app, http=BoundedHttpProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
                            proxy_headers=False, server_header=False, date_header=False)  # fmt: skip
    config.load()
    state = ServerState()

    def connected() -> asyncio.Protocol:
        protocol = BoundedHttpProtocol(config, state, {})
        protocol.head_timeout, protocol.body_timeout = settings.head_timeout, settings.body_timeout
        return protocol

    with _bound(path) as listener:
        server = await asyncio.get_running_loop().create_unix_server(connected, sock=listener)
        try:
            yield state
        finally:
            stopping.begin(settings.drain_seconds)
            server.close()
            for connection in list(state.connections):
                connection.shutdown()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=stopping.seconds_left)
            for connection in list(state.connections):
                connection.transport.abort()


@contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    """Create the socket file with mode 0600, and remove it at the end."""
    path.unlink(missing_ok=True)  # left by a server that was killed: this process holds the folder's lock
    with socket.socket(socket.AF_UNIX) as listener:
        # The umask, since others could connect between bind and chmod.
        before = os.umask(0o177)
        try:
            with short_path(path) as short:
                listener.bind(short)
        finally:
            os.umask(before)
        try:
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            yield listener
        finally:
            path.unlink(missing_ok=True)
