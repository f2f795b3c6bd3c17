"""Limits of the HTTP protocol, and the listening socket."""

import json
import socket

import httpx
import pytest

from hubbub.gateways.native import listener
from hubbub.gateways.native.listener import CannotListen, listening_socket
from tests.gateways.conftest import Serve
from tests.gateways.raw import Raw, upgrade
from tests.support.timing import three_attempts, within

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"


def padded(size: int) -> bytes:
    """Return a request with a head of about `size` bytes.

    The request line's fixed words do not count.
    """
    return GET + b"X-Padding: " + b"x" * (size - len(GET) - 15) + b"\r\n\r\n"


async def test_a_head_of_16_kib_is_accepted_and_a_longer_one_is_refused(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(padded(16_384))
        assert (await raw.head()).startswith("HTTP/1.1 200")
    async with Raw(running.port) as raw:
        raw.send(padded(17_000))
        assert (await raw.head()).startswith("HTTP/1.1 431")
        assert json.loads(await raw.rest())["error"]["code"] == "too_large"


async def test_an_endless_head_is_refused_before_it_fills_the_memory(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(GET + b"X-Padding: " + b"x" * 200_000)
        assert (await raw.head()).startswith("HTTP/1.1 431")


@three_attempts
async def test_a_missing_or_incomplete_head_ends_the_connection_at_the_deadline(serve: Serve) -> None:
    running = await serve(head_timeout=0.2)
    async with Raw(running.port) as silent, Raw(running.port) as slow:
        slow.send(GET)
        assert (await slow.head()).startswith("HTTP/1.1 408")
        with within(1):
            assert await silent.rest() == b""


async def test_an_incomplete_body_ends_the_connection_at_the_deadline(serve: Serve) -> None:
    running = await serve(body_timeout=0.2)
    async with Raw(running.port) as raw:
        raw.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert await raw.rest() == b""


async def test_large_bodies_on_a_keep_alive_connection_do_not_count_as_head(serve: Serve) -> None:
    running = await serve()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        for _ in range(3):
            assert (await client.post("/body", content=b"x" * 300_000)).json() == {"bytes": 300_000}
            assert (await client.get("/health")).json() == {"status": "ok"}


async def test_requests_over_the_connection_cap_are_answered_with_retry_after(serve: Serve) -> None:
    running = await serve(connections_max=10, rate_limits=False)
    raws = [await Raw(running.port).__aenter__() for _ in range(10)]
    for raw in raws:
        await raw.open()
    async with Raw(running.port) as page, Raw(running.port) as cut:
        page.send(GET + b"\r\n")
        head = await page.head()
        assert head.startswith("HTTP/1.1 503")
        assert "Retry-After" in head
        cut.send(upgrade())
        assert b"101" not in await cut.rest(2)
    for raw in raws:
        await raw.__aexit__(None, None, None)


async def test_a_request_that_is_not_http_is_a_bad_request(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert (await raw.head()).startswith("HTTP/1.1 400")


def test_a_port_in_use_is_reported_in_a_sentence() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"^Port {port} on 127\.0\.0\.1 is already in use\. .*--port\.$"):
            listening_socket("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_reported_in_a_sentence(host: str) -> None:
    with pytest.raises(CannotListen, match=rf"{host}.* Choose another with --host\.$"):
        listening_socket(host, 0)


def test_accepted_sockets_inherit_a_small_unsent_buffer() -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        listening.setblocking(True)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                lowat = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
                assert lowat == listener.NOTSENT_LOWAT
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
