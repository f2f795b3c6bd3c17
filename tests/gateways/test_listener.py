"""The listening socket without free file descriptors, and during shutdown."""

import asyncio
import socket
from pathlib import Path

import httpx

from tests.conftest import MakeServer
from tests.gateways.conftest import Serve
from tests.gateways.raw import Raw, upgrade
from tests.support.server import Server
from tests.support.waiting import eventually_blocking

FILES = 120
LAUNCHER = (
    "-c",
    f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}));"
    "from hubbub.cli import main; main()",
)


async def test_a_keep_alive_connection_cannot_open_a_websocket_during_shutdown(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await raw.head()
        await raw.reader.readexactly(len(b'{"status":"ok"}'))
        closing = asyncio.create_task(running.listener.close(60))
        await asyncio.sleep(0)  # Closing has begun and waits for uvicorn to notice.
        raw.send(upgrade())
        answer = await raw.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 503"), answer
    async with asyncio.timeout(20):  # Closing takes less than the 60 seconds that open sockets would get.
        await closing
    assert running.talks == []


def files(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


def test_a_server_without_free_files_refuses_connections_and_recovers(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_CONNECTIONS_MAX": "10000"}, LAUNCHER).start()
    member = server.sign_up()
    before = files(server)
    crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2 * FILES)]
    try:
        eventually_blocking(lambda: files(server) >= FILES - 1, 20, "the server has no files left")
        for one in crowd[FILES:]:
            one.settimeout(20)
        assert sum(ended(one) for one in crowd[FILES:]) >= FILES // 2, "connections over the limit are closed at once"
    finally:
        for one in crowd:
            one.close()
    eventually_blocking(lambda: files(server) <= before + 5, 20, "the files are free again")
    assert member.request("POST", "/api/rooms", json={"kind": "public", "name": "after the flood"}).status_code == 201
    assert httpx.get(f"{server.url}/health/ready").status_code == 200
    assert "Traceback" not in server.log_text()


def ended(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
