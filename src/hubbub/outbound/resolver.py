"""DNS in threads of its own, so that slow name servers delay nothing but requests to their names."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Return all addresses of a host for a port, best first. Raises OSError."""

MAX_LOOKUPS = 16
"""Lookups that run at once. `getaddrinfo` cannot be cancelled: a name server that does not answer
occupies a thread for half a minute."""


class Resolver:
    """The system's resolver, with its hosts file."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_LOOKUPS)

    async def __call__(self, host: str, port: int) -> list[str]:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def finish(addresses: list[str] | None, error: OSError | None) -> None:
            self._free.release()
            if answer.done():  # The caller has stopped waiting.
                return
            if addresses is None:
                answer.set_exception(error or OSError("no answer"))
            else:
                answer.set_result(addresses)

        def look_up() -> None:
            addresses, failure = None, None
            try:
                addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            except (OSError, UnicodeError) as error:
                failure = OSError(str(error))
            with contextlib.suppress(RuntimeError):  # The loop has been closed in the meantime.
                loop.call_soon_threadsafe(finish, addresses, failure)

        # A daemon, so that the process can end while a lookup hangs.
        try:
            threading.Thread(target=look_up, name="outbound-dns", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._free.release()
            raise OSError(str(error)) from None
        return await answer
