"""The operator's socket: HTTP from any program of the system user, and from the command line."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from hubbub.cli.operator import STOPPED, RequestRefused, ask_server
from hubbub.control import (
    DIFFERENT_VERSIONS,
    SOCKET,
    CreateUser,
    ListUsers,
    LockUser,
    MakeInvite,
    MakeResetLink,
    Request,
    SetPassword,
)
from hubbub.gateways.http.operator import create_operator_app
from hubbub.gateways.operator_socket import operator_socket
from tests.cli.test_commands import run, told
from tests.conftest import MakeServer
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually, eventually_blocking
from tests.support.world import world_at

PATIENCE = 60.0
MAX_BODY = 64 * 1024
JSON = b"Host: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short limits on slow requests."""
    limits = {"HUBBUB_HEAD_TIMEOUT": "0.5", "HUBBUB_BODY_TIMEOUT": "1"}
    with Server(tmp_path_factory.mktemp("operated") / "data", limits) as running:
        yield running


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(server.data / SOCKET))
        yield connection


def received(connection: socket.socket) -> bytes:
    """Return everything the server sends until it closes."""
    answer = b""
    while True:
        try:
            piece = connection.recv(65_536)
        except ConnectionResetError:
            return answer
        if not piece:
            return answer
        answer += piece


def client(server: Server) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(server.data / SOCKET))
    return httpx.Client(transport=transport, base_url="http://hubbub", timeout=PATIENCE)


def is_healthy(server: Server) -> bool:
    answer = ask_server(server.data, ListUsers())
    return answer is not None and "users" in answer and "Traceback" not in server.log_text()


@pytest.mark.parametrize(
    "sent",
    [
        b"\n", b"{}\n", b'{"do":"user.list","after":0}\n', b"\xff" * 100 + b"\r\n\r\n", b"\x00" * 1_000, b"x" * 200_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /users HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /users?after=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /users?after=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /users?aftr=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /users?after=" + b"9" * 5_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /users HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"GET /users HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n",
        b"POST /invites HTTP/1.1\r\n" + JSON + b"Content-Length: -1\r\n\r\n{}",
        b"POST /invites HTTP/1.1\r\n" + JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /invites HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        *(
            b"POST /invites HTTP/1.1\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (JSON, len(body), body)
            for body in (b"", b"[]", b"\xff\xfe", b'{"uses":1,"uses":2}', b'{"uses":NaN}', b'{"uses":"\\ud800"}',
                         b'{"uses":"\\u0000"}', b'{"uses":' + b"[" * 5_000, b'{"uses":0}', b'{"uses":1e999}')
        ),
        b"POST /invites HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        b"GET /users HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:60]),
)  # fmt: skip
def test_hostile_bytes_get_an_error_or_no_answer_and_the_server_goes_on(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        answer = received(connection)
    upgraded = b"Upgrade: websocket" in sent  # the socket has no WebSockets: the request is answered as a usual one
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200" if upgraded else b"HTTP/1.1 4"), answer[:200]
    assert is_healthy(server)


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_body_is_refused_with_a_sentence_before_it_has_arrived(server: Server, declared: bool) -> None:
    body = b'{"name":"' + b"x" * 20_000_000 + b'"}'
    content: Any = body if declared else (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    with client(server) as program:
        try:
            answer = program.post("/users/reset-link", content=content, headers={"Content-Type": "application/json"})
        except httpx.TransportError:
            pass  # the server closed the connection while httpx was writing
        else:
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
    with pytest.raises(RequestRefused, match=f"too large: at most {MAX_BODY} bytes"):
        ask_server(server.data, SetPassword(name="x", password="y" * 20_000_000))
    assert is_healthy(server)


def test_a_body_is_accepted_at_its_limit_and_refused_beyond(server: Server) -> None:
    smallest = len(MakeResetLink(name="").model_dump_json())
    with pytest.raises(RequestRefused, match="There is no such user"):
        ask_server(server.data, MakeResetLink(name="x" * (MAX_BODY - smallest)))
    with pytest.raises(RequestRefused, match="too large"):
        ask_server(server.data, MakeResetLink(name="x" * (MAX_BODY - smallest + 1)))


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /us", b"POST /invites HTTP/1.1\r\n" + JSON + b"Content-Length: 2\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_slow_client_delays_no_other_and_is_disconnected(server: Server, begun: bytes) -> None:
    with connected(server) as slow:
        slow.sendall(begun)
        assert is_healthy(server)
        answer = received(slow)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer


def test_requests_of_two_command_lines_at_once_are_both_executed(server: Server) -> None:
    names = ["same"] * 4 + [f"own{number}" for number in range(4)]
    start = threading.Barrier(len(names))

    def create(name: str) -> str:
        start.wait(PATIENCE)
        try:
            assert ask_server(server.data, CreateUser(name=name, role="member", password=PASSWORD)) is not None
        except RequestRefused as refused:
            return str(refused)
        return "created"

    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(create, names))
    assert results[4:] == ["created"] * 4
    assert sorted(results[:4])[-1] == "created"
    assert [result for result in results[:4] if result == "created"] == ["created"]
    assert all("already taken" in result for result in results[:4] if result != "created")


def test_two_commands_at_once_on_a_folder_without_a_server_are_both_executed(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert run("migrate", "--data", data).returncode == 0

    def create(name: str) -> tuple[int, str]:
        done = run("user", "create", name, "--password-stdin", "--data", data, stdin=PASSWORD)
        return done.returncode, done.stderr

    with ThreadPoolExecutor(2) as pool:
        assert [code for code, _ in pool.map(create, ["ann", "ben"])] == [0, 0]
    listed = run("user", "list", "--data", data).stdout
    assert "ann" in listed
    assert "ben" in listed


@pytest.mark.parametrize("name", ["a/b", "a?b=c&d#e", "%2F..%00", "é\U0001f600", " ", "a\nb", "x" * 3_000])
def test_any_name_arrives_at_the_server_as_it_was_typed(server: Server, name: str) -> None:
    done = run("user", "disable", name, "--data", str(server.data))
    assert told(done, 1).startswith(
        "There is no such user: a name has" if len(name) > 100 else "There is no user called"
    )


# --- a server that stops ---------------------------------------------------------------------------------------------


async def test_a_command_that_has_begun_is_answered_when_the_server_stops(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        settings, app = world.services.settings, create_operator_app(world.services)
        path = settings.data / SOCKET
        with ThreadPoolExecutor(1) as pool:
            async with operator_socket(app, path, settings, world.services.stopping) as state:
                request = CreateUser(name="late", role="member", password=PASSWORD)
                asked = pool.submit(ask_server, settings.data, request)
                await eventually(lambda: state.tasks, PATIENCE, "the command has begun", every=0)
                assert not asked.done()
            await eventually(asked.done, PATIENCE, "the command is answered")
        answer = asked.result()
        assert answer is not None
        assert answer["user"]["name"] == "late"  # type: ignore[index]
        assert not path.exists()
        assert ask_server(settings.data, ListUsers()) is None


def test_a_server_that_is_killed_during_a_command_ends_it_with_a_sentence(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask_server, server.data, ListUsers())
        eventually_blocking(
            lambda: waits_for_an_answer(server.data / SOCKET), PATIENCE, "the command line is connected"
        )
        server.kill()
        with pytest.raises(RequestRefused) as refused:
            asked.result(PATIENCE)
    assert str(refused.value) == STOPPED
    assert ask_server(server.data, ListUsers()) is None, "a socket without a server is no server"


def waits_for_an_answer(path: Path) -> bool:
    """Return whether a client has connected: the kernel then lists a second socket of this path."""
    return Path("/proc/net/unix").read_text().count(f" {path}\n") > 1


def test_idle_connections_do_not_delay_the_stop_of_a_server(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_DRAIN_SECONDS": "300"})
    with server, connected(server) as silent, client(server) as program:
        assert program.get("/users").status_code == 200  # and its connection is kept
        server.stop()
        assert received(silent) == b""
        assert not (server.data / SOCKET).exists()


# --- other programs and other versions -------------------------------------------------------------------------------


def test_a_request_of_another_version_is_refused_with_a_sentence(server: Server) -> None:
    with client(server) as program:
        answers = [
            program.post("/users/explode", json={}),
            program.delete("/users"),
            program.post("/users", json={"name": "x"}),
            program.post("/users", json={"name": "x", "role": "king", "password": PASSWORD}),
            program.put("/users/disabled", json={"name": "x", "disabled": "yes"}),
            program.get("/users", params={"after": "x"}),
        ]
    assert [answer.status_code for answer in answers] == [404, 405, 400, 400, 400, 400]
    for answer in answers:
        assert answer.json()["error"] == {"code": "bad_request", "message": DIFFERENT_VERSIONS}


@contextmanager
def strange_server(data: Path, answer: bytes) -> Iterator[None]:
    """Serve one connection on the socket with these bytes, whatever the request is."""
    data.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / SOCKET))
        listener.listen()
        listener.settimeout(PATIENCE)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(PATIENCE)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b'{"error":{"code":"bad_request","message":"different"}}\n', DIFFERENT_VERSIONS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<xy>", DIFFERENT_VERSIONS),
        (b'HTTP/1.1 400 Bad Request\r\nContent-Length: 13\r\n\r\n{"error":"x"}', DIFFERENT_VERSIONS),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n[]", DIFFERENT_VERSIONS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}", STOPPED),
        (b"", STOPPED),
    ],
)
def test_a_strange_answer_ends_a_command_with_a_sentence(tmp_path: Path, answer: bytes, sentence: str) -> None:
    with strange_server(tmp_path / "data", answer), pytest.raises(RequestRefused) as refused:
        ask_server(tmp_path / "data", ListUsers())
    assert str(refused.value) == sentence


def test_the_openapi_document_describes_each_request_of_the_command_line(server: Server) -> None:
    with client(server) as program:
        document = program.get("/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {kind.route for kind in get_args(Request)}
    assert all("422" not in operation["responses"] for methods in document["paths"].values()
               for operation in methods.values())  # fmt: skip


def test_the_operators_routes_are_not_served_on_the_port(server: Server) -> None:
    for method, path in (kind.route for kind in (CreateUser, LockUser, SetPassword, MakeResetLink, MakeInvite)):
        answer = httpx.request(method, f"{server.url}{path}", json={"name": "x", "disabled": True})
        assert answer.status_code in (404, 405), path
