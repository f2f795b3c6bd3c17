"""One request and its answer over a connection to a checked address.

Imported only when a request is sent, since it imports the HTTP library.
"""

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import anyio
import certifi
import httpcore

from hubbub.outbound.errors import RefusedAddress, RequestFailed
from hubbub.outbound.policy import Address
from hubbub.outbound.urls import Target

if TYPE_CHECKING:
    from hubbub.outbound.client import ResponseLimits

OWN_HEADERS = frozenset({
    "accept-encoding", "connection", "content-length", "cookie", "expect", "host", "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that callers may not set."""
FRAMING = 8
"""How many raw bytes may carry one byte of the body; a chunk of one byte takes six."""
READ = 16 * 1024


def request_headers(target: Target, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the head of the request. Raises ValueError for a header that callers may not set."""
    wrong = sorted(name for name in headers if name.lower() in OWN_HEADERS)
    if wrong:
        raise ValueError(f"the client sets {', '.join(wrong)} itself")
    own = {
        "host": target.authority,
        "connection": "close",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    }
    if not any(name.lower() == "user-agent" for name in headers):
        own["user-agent"] = "Hubbub"
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in {**own, **headers}.items()]


def tls_context() -> ssl.SSLContext:
    """Return a context with the system's certificate authorities, or those of certifi if it has none."""
    paths = ssl.get_default_verify_paths()
    folder = paths.capath
    has_own = paths.cafile is not None or (folder is not None and any(os.scandir(folder)))
    context = ssl.create_default_context(cafile=None if has_own else certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def exchange(
    target: Target,
    addresses: list[Address],
    method: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    limits: "ResponseLimits",
    context: ssl.SSLContext | None,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and the first bytes of the body. Raises RequestFailed, ValueError."""
    meter = _Meter(limits)
    backend = _CheckedBackend(addresses, limits.connect_seconds, meter)
    host = target.host.encode("ascii")
    origin = httpcore.Origin(target.scheme.encode("ascii"), host, target.port)
    url = httpcore.URL(scheme=origin.scheme, host=host, port=target.port, target=target.path.encode("ascii"))
    request = httpcore.Request(method, url, headers=headers, content=body)
    connection = httpcore.AsyncHTTPConnection(origin, ssl_context=context, network_backend=backend)
    try:
        with _translated(target.host):
            response = await connection.handle_async_request(request)
            meter.in_head = False
            if response.extensions["http_version"] not in (b"HTTP/1.0", b"HTTP/1.1"):
                raise RequestFailed(f"{target.host} sent an answer that is not HTTP/1.1.")
            if response.status < 200:
                raise RequestFailed(f"{target.host} switched to another protocol instead of answering.")
            if len(response.headers) > limits.headers:
                raise RequestFailed(f"The answer of {target.host} has more than {limits.headers} headers.")
            return response.status, _headers(response.headers), await _body(response, limits.body_bytes)
    finally:
        await backend.close()


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


async def _body(response: httpcore.Response, limit: int) -> bytes:
    """Return the first bytes; what follows is never read."""
    body = bytearray()
    stream: Any = response.stream
    async with aclosing(aiter(stream)) as chunks:
        async for chunk in chunks:
            body += chunk[: limit - len(body)]
            if len(body) >= limit:
                break
    return bytes(body)


class _TooLarge(Exception):
    """The receiver sends more than it may; the message is for the user."""


class _Meter:
    """Counts the bytes of an answer, before any parser has seen them."""

    def __init__(self, limits: "ResponseLimits") -> None:
        self._limits = limits
        self._received = 0
        self.in_head = True

    def room(self) -> int:
        """Return how many bytes may be read next. Raises _TooLarge."""
        limits = self._limits
        allowed = limits.head_bytes if self.in_head else limits.head_bytes + FRAMING * limits.body_bytes + READ
        if self._received >= allowed:
            what = f"head that is larger than {limits.head_bytes} bytes" if self.in_head else "body of very small parts"
            raise _TooLarge(f"sent a {what}.")
        return min(READ, allowed - self._received)

    def add(self, received: int) -> None:
        self._received += received


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the given addresses, whatever name it is asked for."""

    def __init__(self, addresses: list[Address], seconds: float, meter: _Meter) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._meter = meter
        self._network = httpcore.AnyIOBackend()
        self._open: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the signature of the library
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to the first address that accepts one; each gets its share of the time."""
        share = self._seconds / len(self._addresses)
        for address in self._addresses[:-1]:
            try:
                return await self._connect(address, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._connect(self._addresses[-1], port, share)

    async def _connect(self, address: Address, port: int, seconds: float) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(str(address), port, timeout=seconds)
        self._open = stream
        if ip_address(stream.get_extra_info("server_addr")[0]) != address:
            raise RefusedAddress("The connection leads to another address than the one that was checked.")
        return _MeteredStream(stream, self._meter)

    async def close(self) -> None:
        """Close the connection, even if its TLS handshake was cancelled."""
        if self._open is not None:
            await self._open.aclose()


class _MeteredStream(httpcore.AsyncNetworkStream):
    """A connection that stops reading at the limits of the answer."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, meter: _Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._inner.read(min(max_bytes, self._meter.room()), timeout)
        self._meter.add(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _MeteredStream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._meter)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Turn the errors of the libraries into sentences."""
    try:
        yield
    except _TooLarge as error:
        raise RequestFailed(f"{host} {error}") from None
    except httpcore.LocalProtocolError as error:
        raise ValueError(f"the request is not valid HTTP: {error}") from error
    except httpcore.ConnectTimeout:
        raise RequestFailed(f"{host} did not accept a connection in time.") from None
    except httpcore.ConnectError as error:
        raise RequestFailed(_why_not_connected(host, error)) from None
    except httpcore.RemoteProtocolError as error:
        silent = "without sending a response" in str(error) or "without sending complete" in str(error)
        what = "closed the connection before the answer was complete" if silent else "sent an answer that is not HTTP"
        raise RequestFailed(f"{host} {what}.") from None
    except (httpcore.NetworkError, anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError, ConnectionError):
        raise RequestFailed(f"{host} closed the connection.") from None


def _why_not_connected(host: str, error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The TLS certificate of {host} is not valid: {cause.verify_message.removesuffix('.')}."
        if isinstance(cause, ssl.SSLError):
            return f"The TLS connection to {host} failed: {cause.reason or 'the answer is not TLS'}."
        if isinstance(cause, ConnectionRefusedError):
            return f"{host} refused the connection."
    return f"{host} cannot be reached."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk the chain of causes."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
