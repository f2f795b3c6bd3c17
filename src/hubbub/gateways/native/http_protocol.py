"""The HTTP protocol of `hubbub serve`.

It is bounded, counts towards the connection limit, and upgrades to the native gateway.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from hubbub.gateways.native.gateway import NO_HANDSHAKE, RETRY_AFTER, NativeGateway, opening
from hubbub.gateways.uvicorn_protocols import BoundedHttpProtocol
from hubbub.gateways.websocket.admission import Slot
from hubbub.gateways.websocket.handshake import client_address
from hubbub.gateways.websocket.rejection import Rejection
from hubbub.protocol.headers import is_trusted, network

FULL = Rejection(503, "The server has reached its connection limit. Try again in a few seconds.", RETRY_AFTER)
HARD_LIMIT = 1.1
"""The multiple of the limit above which connections are aborted without response."""

IDLE_GRACE = 2.0
"""Seconds in which an idle connection of a stopping server may get one more request: more than proxies
usually wait between two health checks."""


class HttpProtocol(BoundedHttpProtocol):
    """One HTTP connection that counts towards the global connection limit.

    While the server waits for the client (to send a request or a body, or to read a response), the
    connection can be evicted for another network's. A trusted proxy's connections count for the
    client of their current request.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        gateway: NativeGateway,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        settings = gateway.connections.services.settings
        self._gateway = gateway
        self.head_timeout = settings.head_timeout
        self.body_timeout = settings.body_timeout
        self.head_bytes = settings.head_bytes
        self._limit = settings.connections_limit
        self._network: str | None = None
        """The peer's network; None for a trusted proxy."""
        self._slot: Slot | None = None
        self._has_left = False
        """The transport is closed, or belongs to another protocol."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not is_trusted(self.peer, self._gateway.connections.services.settings.trusted_proxies):
            self._network = network(self.peer)
        open_now = self.open_count + len(self._gateway.connections.open)
        if open_now > self._limit and not self._gateway.make_room(self._network):
            self._refused = FULL
            if open_now > self._limit * HARD_LIMIT:
                self._count_refusal("none")
                self._discards_input = True
                self.cut()
                return
        self._update_slot()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_left = True
        self._release_slot()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End after the request that is under way, because the server stops.

        A client, often a proxy, may just have sent one on an idle connection. It is answered too.
        """
        if self._is_working:
            super().shutdown()
        else:
            asyncio.get_running_loop().call_later(IDLE_GRACE, self._close_idle)

    def _close_idle(self) -> None:
        if not self._has_left and not self._is_working:
            self.transport.close()

    @property
    def is_last(self) -> bool:
        return self._gateway.connections.services.stopping.has_begun

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update_slot()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update_slot()

    def _start_reader_timer(self) -> None:
        super()._start_reader_timer()
        self._update_slot()

    def _stop_reader_timer(self) -> None:
        super()._stop_reader_timer()
        self._update_slot()

    # --- the connection limit ------------------------------------------------------------------------------------

    def _update_slot(self) -> None:
        """Hold a slot exactly while the server waits for the client."""
        if self._has_left:
            return
        working = self._is_working
        if working and not self._in_body and self._reader_timer is None:
            self._release_slot()
        elif self._slot is None:
            found = self._network
            if found is None:
                if not working:
                    return  # an idle connection of a proxy belongs to no client
                trusted = self._gateway.connections.services.settings.trusted_proxies
                found = network(client_address(self.peer, self.request_headers, trusted))
            self._slot = self._gateway.waiting.try_acquire(found, self._evict)
        elif self._network is None and not working:
            self._release_slot()

    def _release_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            self._gateway.waiting.release(slot)

    def _evict(self) -> None:
        self._slot = None
        self._gateway.connections.services.metrics.connections_evicted.labels(kind="http").inc()
        if self._in_body and self._can_still_refuse:
            self._count_refusal(str(FULL.status))
            self._disconnect_cycles()
            self.transport.write(FULL.response())
            self.transport.close()  # at once: the newcomer has its slot
        else:
            self.cut()

    # --- the upgrade ---------------------------------------------------------------------------------------------

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        if not self._discards_input:
            self._has_left = True
            self._release_slot()

    def _upgrade(self) -> None:
        target, headers = self.request_target, self.request_headers
        if target.encode("latin-1").partition(b"?")[0] not in self._gateway.paths:
            if opening(target, headers) is None:
                self._refuse(NO_HANDSHAKE)
            else:
                super()._upgrade()
            return
        if self.request_line != ("GET", "1.1"):
            self._refuse(NO_HANDSHAKE)
            return
        protocol = self._gateway.upgrade(self.transport, target, headers, self.peer)
        if isinstance(protocol, Rejection):
            self._refuse(protocol)
        else:
            self.hand_over(protocol)

    def _count_refusal(self, status: str) -> None:
        self._gateway.connections.services.metrics.connections_refused.labels(status=status).inc()
