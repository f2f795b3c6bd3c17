"""The client: checks the URL, resolves the name once, and connects to an address that was checked."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count, islice
from typing import TYPE_CHECKING

from hubbub.outbound.errors import RefusedAddress, RequestFailed
from hubbub.outbound.policy import Address, Policy
from hubbub.outbound.resolver import Resolve, Resolver
from hubbub.outbound.urls import Target, parse

if TYPE_CHECKING:
    import ssl

MAX_ANSWERS = 64
"""DNS answers that are looked at."""
MAX_ADDRESSES = 4
"""Addresses that are tried."""


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """Bounds for one request and its answer."""

    seconds: float = 10.0
    """For everything: DNS, connection, TLS, request and answer."""
    connect_seconds: float = 5.0
    """For all attempts to connect together."""
    head_bytes: int = 16 * 1024
    headers: int = 100
    body_bytes: int = 64 * 1024
    """How much of the body is read and kept."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; redirects are answers too."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; repeated headers are joined with a comma."""
    body: bytes
    """The first bytes of the body, as sent: without decompression."""
    seconds: float


class OutboundClient:
    """Sends requests to URLs that users choose.

    Each request has its own connection. No redirect is followed, no proxy or credential is taken
    from the environment, and no cookie is kept. Nothing is opened before the first request.
    """

    def __init__(self, policy: Policy | None = None, resolve: Resolve | None = None) -> None:
        self._policy = policy or Policy()
        self._resolve = resolve or Resolver()
        self._tls: asyncio.Future[ssl.SSLContext] | None = None
        self._deadlines: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def check_url(self, url: str) -> None:
        """Check a URL as `request` does, without DNS. Raises RefusedAddress."""
        parse(url, self._policy)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, limits: ResponseLimits | None = None
    ) -> Response:
        """Send one request and return the answer, whatever its status is.

        The client itself sets `host`, `content-length`, `connection` and `accept-encoding`. Raises
        RefusedAddress, RequestFailed, and ValueError for an invalid method or header.
        """
        target = parse(url, self._policy)
        limits = limits or ResponseLimits()
        if self._closed:
            raise RequestFailed("The server is stopping.")
        begin = time.monotonic()
        deadline = asyncio.timeout(limits.seconds)
        try:
            async with deadline:
                self._enter(deadline)
                return await self._request(target, method, headers, body, limits, begin)
        except TimeoutError:
            if self._closed:
                raise RequestFailed("The server is stopping.") from None
            raise RequestFailed(f"{target.host} did not answer within {limits.seconds:g} seconds.") from None
        finally:
            self._leave(deadline)

    async def close(self) -> None:
        """Stop all requests; they raise RequestFailed."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(now)
        await self._idle.wait()

    def _enter(self, deadline: asyncio.Timeout) -> None:
        self._deadlines.add(deadline)
        self._idle.clear()

    def _leave(self, deadline: asyncio.Timeout) -> None:
        self._deadlines.discard(deadline)
        if not self._deadlines:
            self._idle.set()

    async def _request(
        self,
        target: Target,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        limits: ResponseLimits,
        begin: float,
    ) -> Response:
        from hubbub.outbound import exchange  # here, since it imports the HTTP library

        head = exchange.request_headers(target, headers, body)
        addresses = await self._addresses(target)
        context = await self._context() if target.scheme == "https" else None
        status, answered, content = await exchange.exchange(target, addresses, method, head, body, limits, context)
        return Response(status, answered, content, time.monotonic() - begin)

    async def _addresses(self, target: Target) -> list[Address]:
        """Return the allowed addresses of the target, IPv6 and IPv4 in turn.

        Every answer is checked. Those that are not allowed are ignored: networks with a private and
        a public address under one name are common.
        """
        if target.address is not None:
            return [target.address]
        try:
            answers = await self._resolve(target.host, target.port)
        except OSError:
            raise RequestFailed(f"The name {target.host} was not found in the DNS.") from None
        found = dict.fromkeys(ip_address(answer) for answer in islice(answers, MAX_ANSWERS))
        allowed = [address for address in found if self._policy.allows(target.host, address)]
        if not found:
            raise RequestFailed(f"The name {target.host} was not found in the DNS.")
        if not allowed:
            raise RefusedAddress(
                f"{target.host} has no public address. An admin can allow it with HUBBUB_OUTBOUND_ALLOW."
            )
        places = {4: count(), 6: count()}
        order = sorted(((next(places[address.version]), address) for address in allowed), key=lambda pair: pair[0])
        return [address for _, address in order[:MAX_ADDRESSES]]

    async def _context(self) -> "ssl.SSLContext":
        """Return the TLS context; reading the certificates takes some 30 ms, so a thread does it once."""
        if self._tls is None:
            from hubbub.outbound import exchange

            self._tls = asyncio.ensure_future(asyncio.to_thread(exchange.tls_context))
        try:
            return await asyncio.shield(self._tls)
        except OSError as error:
            self._tls = None
            raise RequestFailed(f"The server's certificate authorities cannot be read: {error}.") from None
