"""The listening socket, and uvicorn's server behind it. Knows no chat."""

import asyncio
import errno
import gc
import math
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn

from hubbub.engine.services import Services
from hubbub.gateways.websocket.gateway import Converse, NativeGateway
from hubbub.gateways.websocket.native import DROP_AFTER, PING_EVERY, WebSocketProtocol
from hubbub.gateways.websocket.pump import Pump
from hubbub.gateways.websocket.uvicorn_http import HttpProtocol

BACKLOG = 4096
NOTSENT_LOWAT = 16_384
"""Unsent bytes the kernel takes from us: without it a stalled reader swallows megabytes (measured: 3.9 MB)."""


class CannotListen(Exception):
    """The address cannot be listened on; the message is one sentence for whoever starts the server."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Bound and listening; accepted sockets inherit its options. Port 0 takes a free one. Raises CannotListen."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(f"{host} is no address of this machine: {error.strerror}.") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (lowat := getattr(socket, "TCP_NOTSENT_LOWAT", None)) is not None:
            listening.setsockopt(socket.IPPROTO_TCP, lowat, NOTSENT_LOWAT)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(_why(host, port, error)) from None
    return listening


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: stop what uses it, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} on {host} is not for this user: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: choose one with --host."
    return f"Cannot listen on port {port} of {host}: {error.strerror}."


class Listener:
    """Serves an ASGI app and the native WebSocket gateway on one port."""

    def __init__(self) -> None:
        self.port = 0
        """The port that is listened on, once `open` returned."""
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._gateway: NativeGateway | None = None

    async def open(
        self, app: Any, services: Services, host: str, port: int, *, converse: Converse = Pump
    ) -> NativeGateway:
        """Starts; returns when the port accepts. Raises CannotListen; RuntimeError if the app's lifespan fails."""
        listening = listening_socket(host, port)
        self.port = listening.getsockname()[1]
        gateway = self._gateway = NativeGateway(services, converse)
        config = uvicorn.Config(
            app,
            http=partial(HttpProtocol, gateway=gateway),  # type: ignore[arg-type]
            ws=WebSocketProtocol,
            ws_max_size=services.settings.frame_bytes,
            ws_ping_interval=PING_EVERY,
            ws_ping_timeout=DROP_AFTER - PING_EVERY,
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        server = self._server = _Server(config, listening)
        self._serving = asyncio.create_task(server.serve())
        await asyncio.wait({self._serving, started := asyncio.create_task(server.ready.wait())},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        if not server.started:
            started.cancel()
            listening.close()
            raise RuntimeError("the application did not start")
        gc.collect()
        gc.freeze()  # what exists now lives as long as the server: full collections need not walk it
        return gateway

    async def close(self, drain_seconds: float) -> None:
        """Stops accepting, tells WebSockets to come back later, lets requests finish for so long, then cuts off."""
        server, serving, gateway = self._server, self._serving, self._gateway
        if server is None or serving is None or gateway is None:
            return
        server.config.timeout_graceful_shutdown = max(1, math.ceil(drain_seconds))
        server.stop_listening()
        gateway.draining = True
        for connection in list(gateway.company.open):
            connection.shutdown()
        server.should_exit = True
        deadline = asyncio.get_running_loop().time() + drain_seconds
        with suppress(SystemExit):
            await serving
        if gateway.company.open:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await gateway.company.empty.wait()
        for connection in list(gateway.company.open):
            connection.cut()
        for leftover in list(server.server_state.connections):
            leftover.transport.abort()
        self._server = self._serving = None


class _Server(uvicorn.Server):
    """uvicorn's server on our socket.

    Nothing the clients do stops it from accepting. Where the process has no file left, the event loop (libuv) ends
    what it cannot take.
    """

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.servers = []
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the composition root's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, with our socket and our accepting."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(self._protocol, sock=self._listening, backlog=BACKLOG)]
        self.started = True
        self.ready.set()

    def stop_listening(self) -> None:
        """New connections are refused from here on."""
        self.should_exit = True
        for server in self.servers:
            server.close()
        self.servers = []
        self._listening.close()

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
