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


def system_lookup(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Resolver:
    """The system's resolver, with its hosts file. `look_up` is called in a thread."""

    def __init__(self, look_up: Callable[[str, int], list[str]] | None = None) -> None:
        self._look_up = look_up or system_lookup
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

        def work() -> None:
            addresses, failure = None, None
            try:
                addresses = self._look_up(host, port)
            except (OSError, UnicodeError) as error:
                failure = OSError(str(error))
            with contextlib.suppress(RuntimeError):  # The loop has been closed in the meantime.
                loop.call_soon_threadsafe(finish, addresses, failure)

        # A daemon, so that the process can end while a lookup hangs.
        try:
            threading.Thread(target=work, name="outbound-dns", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._free.release()
            raise OSError(str(error)) from None
        return await answer
