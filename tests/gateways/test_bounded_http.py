"""The bounds of a request's framing, and the handling of trailers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from hubbub.gateways.uvicorn_protocols import HEAD_BYTES, MAX_HEADERS, BoundedHttpProtocol
from tests.gateways.conftest import Serve
from tests.gateways.raw import Raw, upgrade

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TRAILERS = b"X-Forwarded-For: 203.0.113.9\r\nAuthorization: Bearer forged\r\nCookie: session=forged\r\n"


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


async def answer(raw: Raw) -> tuple[int, dict[str, object]]:
    """Return status and JSON of the next answer."""
    head = await raw.head()
    length = int(next(line for line in head.splitlines() if line.lower().startswith("content-length")).split(":")[1])
    return int(head.split()[1]), json.loads(await asyncio.wait_for(raw.reader.readexactly(length), 20))


# -- trailers


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the names of the request's headers after its body was read."""
    if scope["type"] == "http":
        request = Request(scope, receive)
        size = len(await request.body())
        names = [name.decode() for name, _ in scope["headers"]]
        await JSONResponse({"bytes": size, "headers": names})(scope, receive, send)


@asynccontextmanager
async def plain_uvicorn(http: type[asyncio.Protocol] | str) -> AsyncIterator[int]:
    """Run an application on uvicorn alone; yield its port."""
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=http, ws="none", lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def headers_after(port: int, pieces: list[bytes]) -> list[list[str]]:
    """Return the header names of a request in pieces, and of the next request.

    The first request is chunked and sent in these pieces on the same connection.
    """
    async with Raw(port) as raw:
        for piece in pieces:
            raw.send(piece)
            await raw.writer.drain()
            await asyncio.sleep(0.05)  # The pause makes the server read each piece by itself.
        _, first = await answer(raw)
        raw.send(GET)
        _, second = await answer(raw)
        assert first["bytes"] == 5
        return [list(map(str, found["headers"])) for found in (first, second)]  # type: ignore[call-overload]


ONCE = [POST + chunk(b"hello") + b"0\r\n" + TRAILERS + b"\r\n"]
APART = [POST, chunk(b"hello") + b"0\r\n", TRAILERS + b"\r\n"]


@pytest.mark.parametrize("pieces", [ONCE, APART], ids=["one segment", "three segments"])
async def test_trailers_become_headers_of_neither_their_request_nor_the_next(pieces: list[bytes]) -> None:
    async with plain_uvicorn(BoundedHttpProtocol) as port:
        assert await headers_after(port, pieces) == [["host", "transfer-encoding"], ["host"]]


async def test_control_uvicorn_appends_trailers_to_the_headers() -> None:
    async with plain_uvicorn("httptools") as port:
        first, _ = await headers_after(port, ONCE)
        assert first == ["host", "transfer-encoding", "x-forwarded-for", "authorization", "cookie"]


async def test_uvicorn_with_h11_drops_trailers() -> None:
    async with plain_uvicorn("h11") as port:
        assert await headers_after(port, ONCE) == [["host", "transfer-encoding"], ["host"]]


# -- framing around a body


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"x" * 5) * 20_000,
        chunk(b"x") * 4_000,
        chunk(b"x" * 1_000, b";" + b"e" * 900) * 60,
        chunk(b"x", b";" + b"e" * 15_000),
        b"0" * 15_000 + chunk(b"x"),
    ],
    ids=["small chunks", "one byte chunks", "extensions", "long extension", "leading zeros"],
)
async def test_framing_within_its_bound_is_accepted(serve: Serve, body: bytes) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(POST + body + END)
        status, told = await answer(raw)
        assert (status, told) == (200, {"bytes": body.count(b"x")})
        raw.send(POST + chunk(b"next") + b"0\r\nX-Trailer: dropped\r\n\r\n" + GET)
        assert await answer(raw) == (200, {"bytes": 4})
        assert await answer(raw) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "body",
    [
        b"0\r\n" + b"a: b\r\n" * 3_000,
        b"0\r\nX-Long: " + b"x" * 17_000,
        b"1;" + b"e" * 17_000,
        chunk(b"x", b";" + b"e" * 1_000) * 20,
        chunk(b"x") * 6_000,
        b"0" * 17_000,
        b"1\r\nx\r\n0" + b" " * 17_000,
    ],
    ids=["trailers", "trailer", "extension", "extensions", "one byte chunks", "leading zeros", "blanks"],
)
async def test_framing_beyond_its_bound_is_refused_and_the_connection_ends(serve: Serve, body: bytes) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(POST + body)
        status, told = await answer(raw)
        assert status in (400, 413), told
        assert await raw.rest() == b""
    if status == 413:
        labels = {"status": "413"}
        assert running.metrics.registry.get_sample_value("hubbub_connections_refused_total", labels) == 1


async def test_a_few_empty_lines_before_a_request_are_skipped_and_many_are_refused(serve: Serve) -> None:
    running = await serve(head_timeout=0.5)
    async with Raw(running.port) as raw:
        raw.send(b"\r\n" * 10 + GET + b"\r\n" + GET)
        assert [await answer(raw), await answer(raw)] == [(200, {"status": "ok"})] * 2
        raw.send(b"\r\n")  # This stops uvicorn's timer for silent connections.
        assert await raw.rest() == b""
    async with Raw(running.port) as raw:
        raw.send(b"\r\n" * HEAD_BYTES)
        assert (await answer(raw))[0] == 400
        assert await raw.rest() == b""


async def test_the_number_of_headers_is_bounded(serve: Serve) -> None:
    running = await serve()
    for extra, status in ((MAX_HEADERS - 1, 200), (MAX_HEADERS, 431)):
        async with Raw(running.port) as raw:
            raw.send(GET[:-2] + b"a:\r\n" * extra + b"\r\n")
            assert (await answer(raw))[0] == status


# -- requests on one connection


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    running = await serve()
    requests = [POST + chunk(b"x" * size) + END if size % 3 else GET for size in range(1, 400)]
    async with Raw(running.port) as raw:
        raw.send(b"".join(requests))
        answers = [await answer(raw) for _ in requests]
    assert answers == [(200, {"bytes": size} if size % 3 else {"status": "ok"}) for size in range(1, 400)]


async def test_earlier_requests_are_answered_before_a_bad_one_ends_the_connection(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(GET + b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert await answer(raw) == (200, {"status": "ok"})
        assert await raw.rest() == b""


async def test_the_body_of_a_request_to_an_unknown_protocol_is_not_read_as_a_request(serve: Serve) -> None:
    """After such a head the parser hands bytes to the other protocol.

    It does so even if they are a body.
    """
    running = await serve()
    wish = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    async with Raw(running.port) as raw:
        raw.send(GET[:-2] + wish + b"\r\n" + GET)
        assert await answer(raw) == (200, {"status": "ok"})
        assert await raw.rest() == b""
    async with Raw(running.port) as raw:
        raw.send(b"POST /body HTTP/1.1\r\nHost: x\r\n" + wish + b"Content-Length: %d\r\n\r\n" % len(GET) + GET)
        assert (await answer(raw))[0] == 400
        assert await raw.rest() == b""


async def test_a_handshake_with_a_body_is_refused(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(upgrade(headers={"Content-Length": "5"}) + b"hello")
        assert (await answer(raw))[0] == 400
        assert await raw.rest() == b""


async def test_a_body_that_arrives_too_slowly_ends_the_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.gateways.uvicorn_protocols.BODY_GRACE", 0.3)
    running = await serve()
    async with Raw(running.port) as slow, Raw(running.port) as steady:
        for raw in (slow, steady):
            raw.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
        steady.send(b"x" * 190_000)
        assert await slow.rest() == b""
        steady.send(b"x" * 10_000)
        assert await answer(steady) == (200, {"bytes": 200_000})
