"""The server's pings keep silent sockets open through a proxy."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.proxy.front import Certificate, Front, Kind
from tests.proxy.visitor import Visitor
from tests.support.client import ClosedError
from tests.support.server import Server

TIMEOUT = 2.0
ATTEMPTS = 3
KINDS: tuple[Kind, ...] = ("nginx", "caddy")
IMPATIENT = {
    "nginx": ("proxy_http_version 1.1;", f"proxy_http_version 1.1;\n        proxy_read_timeout {TIMEOUT:g}s;"),
    "caddy": (
        "    reverse_proxy 127.0.0.1:8000\n",
        "    reverse_proxy 127.0.0.1:8000 {\n        transport http {\n"
        f"            read_timeout {TIMEOUT:g}s\n        }}\n    }}\n",
    ),
}


@pytest.fixture
def visitors(tmp_path: Path, certificate: Certificate) -> Iterator[dict[tuple[str, Kind], Visitor]]:
    """Visitors behind each proxy, of a server with pings and of one without."""
    found = {}
    with ExitStack() as stack:
        for name, every in (("pinging", "0.25"), ("silent", "1000")):
            variables = {"PING_EVERY": every, "HUBBUB_ORIGINS": "https://chat.example.org"}
            server = Server(tmp_path / name, variables, ("-m", "tests.proxy.eager_pings"))
            stack.enter_context(server)
            for kind in KINDS:
                front = Front(kind, "", certificate, tmp_path)
                stack.enter_context(front.change(*IMPATIENT[kind])).start(server.port)
                found[name, kind] = Visitor(front).sign_up()
        yield found


async def test_pings_keep_a_silent_socket_open_beyond_the_proxys_timeout(
    visitors: dict[tuple[str, Kind], Visitor],
) -> None:
    """Without pings the proxies close such sockets, which the control shows."""
    began = time.monotonic()
    control = [await visitors["silent", kind].connect() for kind in KINDS]
    for _ in range(ATTEMPTS):  # A machine that stalls for that long breaks the connection, too.
        outlived = await asyncio.gather(*(_outlives(visitors["pinging", kind]) for kind in KINDS))
        if all(outlived):
            break
    else:
        raise AssertionError(f"in {ATTEMPTS} attempts, silent sockets did not outlive the timeout: {outlived}")
    for cut in control:
        assert await cut.wait_closed(60) in (1005, 1006)
    assert time.monotonic() - began >= TIMEOUT


async def _outlives(visitor: Visitor) -> bool:
    """Return whether both kinds of socket work after two timeouts of silence."""
    async with await visitor.connect() as socket, await visitor.enter(visitor.bearer) as plain:
        await asyncio.sleep(2 * TIMEOUT)
        try:
            await socket.ping()
            await (await plain.ping())
        except (ClosedError, ConnectionClosed):
            return False
    return True
