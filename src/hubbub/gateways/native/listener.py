"""The listening socket, and uvicorn's server behind it."""

import asyncio
import errno
import gc
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn

from hubbub.engine.services import Services
from hubbub.gateways.native.connection import DROP_AFTER, PING_EVERY
from hubbub.gateways.native.gateway import Converse, NativeGateway
from hubbub.gateways.native.http_protocol import HttpProtocol
from hubbub.gateways.uvicorn_protocols import BACKLOG, Server, WebSocketProtocol
from hubbub.gateways.websocket.pump import Pump

NOTSENT_LOWAT = 16_384
"""Unsent bytes the kernel accepts per socket.

Without it a stalled reader takes megabytes (measured: 3.9 MB).
"""


class CannotListen(Exception):
    """The server cannot listen on the address.

    The message tells the operator why and what to do.
    """


def listening_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket, whose options accepted sockets inherit.

    Port 0 picks a free one. The kernel distributes connections over the sockets that are `shared`.

    Raises CannotListen.
    """
    listening = _bound_socket(host, port, shared=shared)
    try:
        listening.listen(BACKLOG)
    except OSError as error:  # a socket that was not bound with the option listens already
        listening.close()
        raise CannotListen(_explain(host, port, error)) from None
    return listening


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[int]:
    """Keep a port for sockets of this user that are `shared`; yield its number. Accepts nothing.

    Port 0 picks a free one.

    Raises CannotListen, also if only `shared` sockets use the port.
    """
    _bound_socket(host, port, shared=False).close()
    with _bound_socket(host, port, shared=True) as reserved:
        yield reserved.getsockname()[1]


def _bound_socket(host: str, port: int, *, shared: bool) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(f"Cannot resolve host {host}: {error.strerror}. Choose another with --host.") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (lowat := getattr(socket, "TCP_NOTSENT_LOWAT", None)) is not None:
            listening.setsockopt(socket.IPPROTO_TCP, lowat, NOTSENT_LOWAT)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(_explain(host, port, error)) from None
    return listening


def _explain(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is already in use. Stop the program that uses it, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"No permission to listen on port {port} of {host}. Choose a port above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Choose another with --host."
    return f"Cannot listen on port {port} of {host}: {error.strerror}."


class Listener:
    """Serves an ASGI app and the native WebSocket gateway on one port."""

    def __init__(self) -> None:
        self.port = 0
        """The port the server listens on, after `open` has returned."""
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._gateway: NativeGateway | None = None

    async def open(
        self,
        app: Any,
        services: Services,
        host: str,
        port: int,
        *,
        converse: Converse = Pump,
        shared: bool = False,
    ) -> NativeGateway:
        """Start; return when the port accepts. Other processes may open a `shared` port, too.

        Raises CannotListen; RuntimeError if the app's lifespan fails.
        """
        listening = listening_socket(host, port, shared=shared)
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
        server = self._server = Server(config, listening)
        self._serving = asyncio.create_task(server.serve())
        await asyncio.wait({self._serving, started := asyncio.create_task(server.ready.wait())},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        if not server.started:
            started.cancel()
            listening.close()
            raise RuntimeError("The application did not start. The log above has the reason.")
        gc.collect()
        gc.freeze()  # objects that exist now live as long as the server: full collections can skip them
        return gateway

    async def close(self, drain_seconds: float) -> None:
        """Stop accepting, wait `drain_seconds` for requests, then abort the rest.

        The commands that have arrived on WebSockets are answered first. Then their clients are
        asked to reconnect later.
        """
        server, serving, gateway = self._server, self._serving, self._gateway
        if server is None or serving is None or gateway is None:
            return
        connections, services = gateway.connections, gateway.connections.services
        services.stopping.begin(drain_seconds)
        # uvicorn would cancel the rest, which leaves tracebacks: the deadline comes first.
        server.config.timeout_graceful_shutdown = math.ceil(drain_seconds) + 1
        server.stop_listening()
        among = len(connections.open) + len(services.streams)
        for stream in list(services.streams):
            stream.shutdown(among)
        for connection in list(connections.open):
            connection.silence()
        with suppress(TimeoutError):
            async with asyncio.timeout(services.stopping.seconds_left):
                await services.journal.settle()
        for connection in list(connections.open):
            connection.shutdown(services.fanout, among)
        deadline = asyncio.get_running_loop().call_later(services.stopping.seconds_left, server.cut)
        with suppress(SystemExit):
            await serving
        deadline.cancel()
        if connections.open:
            with suppress(TimeoutError):
                async with asyncio.timeout(services.stopping.seconds_left):
                    await connections.empty.wait()
        for connection in list(connections.open):
            connection.cut()
        server.cut()
        self._server = self._serving = None
