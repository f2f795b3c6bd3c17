"""A line between a browser and a server that can be cut and mended, on a thread of its own."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from tests.support.proxy import Proxy
from tests.support.server import Server

NOWHERE = 1  # tcpmux: nobody listens there


class Line:
    """`url` leads to the server as long as the line is whole."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._proxy = Proxy(server.port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return self._proxy.websocket_url.replace("ws://", "http://").removesuffix("/ws")

    def cut(self) -> None:
        """Reset every connection, and let no new one through."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        self._proxy.port = NOWHERE
        self._proxy.reset_all()

    def mend(self) -> None:
        self._proxy.port = self._server.port

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.__aenter__(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.__aexit__(None, None, None), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
