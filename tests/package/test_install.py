"""The wheel in clean environments: with the lowest versions, beside fastapi-users, and with one extra alone."""

import re
import shutil
import tarfile
from pathlib import Path

import httpx
import pytest

from hubbub.version import __version__
from tests.conftest import MakeServer
from tests.house.test_wheel import hatchling, project_in
from tests.package.environments import ROOT, Environment, InstalledServer, surroundings
from tests.support import forked
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking

DEADLINE = 60.0
BELOW = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
SEND = """
import asyncio, sys
from hubbub import Client

async def main():
    async with Client(sys.argv[1], username=sys.argv[2], password=sys.argv[3]) as client:
        await client.send(int(sys.argv[4]), "from the client")

asyncio.run(main())
"""


def pinned(name: str) -> dict[str, str]:
    return dict(BELOW.findall((ROOT / "requirements" / name).read_text()))


def first_message(server: Server) -> None:
    """Create the owner with the link, log in, send a message and read it."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=DEADLINE) as http:
        assert http.get("/health/ready").status_code == 200
        setup = server.setup_link().partition("#")[2]
        account = {"username": "owner", "password": PASSWORD, "setup": setup}
        assert http.post("/api/users", json=account).status_code == 201
        token = http.post("/token", data={"username": "owner", "password": PASSWORD}).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        message = {"key": "first", "body": "hello"}
        assert http.post("/api/rooms/1/messages", json=message).is_success
        assert [each["body"] for each in http.get("/api/rooms/1/messages").json()["messages"]][-1] == "hello"


def test_with_the_lowest_versions_a_server_starts_and_answers(wheel: Path, tmp_path: Path) -> None:
    lowest = Environment(tmp_path / "venv")
    lowest.install("--require-hashes", "--requirement", "requirements/lowest.txt")
    lowest.install("--no-deps", str(wheel))
    lowest.check()
    found = lowest.packages()
    assert (found["sqlalchemy"][:4], found["fastapi"], found["hubbub"]) == (
        "2.0.",
        pinned("lowest.txt")["fastapi"],
        __version__,
    )
    with InstalledServer(lowest, tmp_path / "data") as server:
        first_message(server)
        server.stop()
        assert '"level": "error"' not in server.log_text()
        assert "Traceback" not in server.log_text()
        server.start()


def test_the_lowest_versions_are_below_those_of_the_development() -> None:
    lowest, current = pinned("lowest.txt"), pinned("image.txt")
    assert lowest["sqlalchemy"].startswith("2.0.")
    for name in ("alembic", "fastapi", "pydantic", "rich", "starlette", "typer", "uvicorn", "websockets"):
        assert _numbers(lowest[name]) < _numbers(current[name]), name


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_a_source_distribution_works_beside_fastapi_users(tmp_path: Path) -> None:
    made, output = hatchling(project_in(tmp_path / "checkout"), "sdist")
    assert made is not None, output
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    built, output = hatchling(unpacked, "wheel")
    assert built is not None, output
    beside = Environment(tmp_path / "venv")
    beside.install("--require-hashes", "--requirement", "requirements/beside.txt")
    beside.install("--no-deps", str(built))
    beside.check()
    assert beside.packages()["sqlalchemy"].startswith("2.0."), "what fastapi-users requires"

    shutil.copy(Path(__file__).with_name("beside_app.py"), beside.folder / "beside_app.py")
    port, log = free_port(), tmp_path / "app.log"
    command = [
        str(beside.folder / "bin/uvicorn"),
        "beside_app:app",
        "--port",
        str(port),
        "--app-dir",
        str(beside.folder),
    ]
    environment = {**surroundings(), "APP_DATA": str(tmp_path)}
    with log.open("wb") as out:
        process = forked.start(command, env=environment, stdout=out, fork=False)
    try:
        _use_both(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _use_both(url: str, process: forked.Process, log: Path) -> None:
    """Register and log in with fastapi-users, and send a message with its token."""
    with httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE) as http:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return http.get("/chat/health/ready").status_code == 200
            except httpx.TransportError:
                return False

        eventually_blocking(answers, DEADLINE, "the application answers")
        account = {"email": "alice@example.org", "password": PASSWORD}
        assert http.post("/auth/register", json=account).status_code == 201
        form = {"username": account["email"], "password": PASSWORD}
        token = http.post("/auth/login", data=form).json()["access_token"]
        assert http.get("/chat/users/me").status_code == 401, "control: without the token"
        http.headers["Authorization"] = f"Bearer {token}"
        assert http.get("/chat/users/me").json()["name"] == "alice"
        sent = http.post("/chat/api/rooms/1/messages", json={"key": "first", "body": "hello"})
        assert sent.is_success, sent.text


def test_the_client_works_with_its_extra_alone(
    wheel: Path, bare: Environment, make_server: MakeServer, tmp_path: Path
) -> None:
    environment = Environment(tmp_path / "venv")
    environment.install(f"hubbub[client] @ {wheel.as_uri()}", "--constraint", "requirements/runtime.txt")
    found = environment.packages()
    assert not {"fastapi", "sqlalchemy", "uvicorn"} & found.keys(), found
    with make_server() as server:
        alice = server.sign_up("alice")
        name = alice.get("/users/me")["name"]
        room = alice.create_room("Talk")
        environment.output(SEND, server.url, name, PASSWORD, str(room))
        messages = alice.get(f"/api/rooms/{room}/messages")["messages"]
        assert [each["body"] for each in messages] == ["from the client"]
        done = bare.run(SEND, server.url, name, PASSWORD, str(room))
        assert done.returncode == 1, "control: not without the extra"


@pytest.mark.parametrize("name", ["WebSocketProtocol", "BoundedHttpProtocol"])
def test_uvicorn_takes_the_protocols_with_their_extra_alone(wheel: Path, tmp_path: Path, name: str) -> None:
    environment = Environment(tmp_path / "venv")
    environment.install(f"hubbub[uvicorn] @ {wheel.as_uri()}", "--constraint", "requirements/runtime.txt")
    assert not {"fastapi", "pydantic", "sqlalchemy"} & environment.packages().keys()
    assert environment.output(f"import hubbub; print(hubbub.{name}.__name__)") == f"{name}\n"
