"""`pip install hubbub` is the ConnectionManager: few packages, a light import, and a sentence for the rest."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package.environments import ROOT, Environment, surroundings

MOST_PACKAGES = 8
ALLOWED = {"anyio", "hubbub", "idna", "sniffio", "starlette", "typing_extensions"}
"""Packages that an import of the class may load."""
LONGEST, LARGEST = 60.0, 3.0
"""Milliseconds of processor time and megabytes that the class may add to `import fastapi`."""

IMPORTED = """
import sys
before = set(sys.modules)
import hubbub
hubbub.ConnectionManager, hubbub.BusOptions
print(*{name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
COST = """
import sys, time
import fastapi
before = set(sys.modules)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
size, start = resident(), time.process_time()
import hubbub
hubbub.ConnectionManager
took = time.process_time() - start
print(1_000 * took, (resident() - size) / 1e6, *{name.partition(".")[0] for name in set(sys.modules) - before})
"""
CONVERSATION = """
import asyncio
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from hubbub import ConnectionManager

manager = ConnectionManager()

async def endpoint(websocket):
    await manager.connect(websocket)
    await manager.broadcast(await websocket.receive_text())
    await websocket.receive_text()

async def main():
    events = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    sent, done = [], asyncio.Event()

    async def receive():
        if events:
            return events.pop(0)
        await done.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(event):
        sent.append(event)
        if event["type"] == "websocket.send":
            done.set()

    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "subprotocols": []}
    try:
        await app(scope, receive, send)
    except Exception as end:
        print(type(end).__name__)
    print([event.get("text") for event in sent if event["type"] == "websocket.send"])

asyncio.run(main())
"""


def test_the_class_comes_with_few_packages_and_works(bare: Environment) -> None:
    found = bare.packages()
    assert "starlette" in found
    assert len(found) <= MOST_PACKAGES, found
    assert bare.output(CONVERSATION).split() == ["WebSocketDisconnect", "['hello']"]


def test_the_class_imports_starlette_and_the_standard_library_alone(bare: Environment) -> None:
    assert set(bare.output(IMPORTED).split()) <= ALLOWED
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, timeout=120)
    assert set(done.stdout.split()) - {"python_multipart"} <= ALLOWED, "also where everything is installed"


def test_the_import_of_the_class_adds_little_to_fastapis() -> None:
    """Processor time, the least of five processes: noise only adds to it. Bytecode is cached, as in installations."""
    runs = [cost() for _ in range(5)]
    assert min(took for took, _, _ in runs) <= LONGEST, runs
    assert statistics.median(size for _, size, _ in runs) <= LARGEST, runs


def test_control_the_settings_of_the_server_cost_more_than_the_class_may() -> None:
    took, size, packages = cost("hubbub.Settings")
    assert "pydantic_settings" in packages
    assert size > LARGEST or took > LONGEST


def cost(name: str = "hubbub.ConnectionManager") -> tuple[float, float, set[str]]:
    """Return milliseconds of processor time, megabytes and packages that a name adds to `import fastapi`."""
    command = [sys.executable, "-c", COST.replace("hubbub.ConnectionManager", name)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120, env=surroundings()
    )
    took, size, *packages = done.stdout.split()
    return float(took), float(size), set(packages)


@pytest.mark.parametrize(
    ("statement", "what", "extra"),
    [
        ("from hubbub import Hubbub", "hubbub.Hubbub", "server"),
        ("from hubbub import Settings", "hubbub.Settings", "server"),
        ("from hubbub import Identity", "hubbub.Identity", "server"),
        ("from hubbub import Client", "hubbub.client", "client"),
        ("from hubbub.client import Ended", "hubbub.client", "client"),
        ("from hubbub import WebSocketProtocol", "hubbub.WebSocketProtocol", "uvicorn"),
        ("from hubbub import BoundedHttpProtocol", "hubbub.BoundedHttpProtocol", "uvicorn"),
    ],
)
def test_a_name_without_its_extra_is_an_import_error_that_names_it(
    bare: Environment, statement: str, what: str, extra: str
) -> None:
    last = bare.run(statement).stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {what} needs a package that is not installed (")
    assert last.endswith(f"). Install it with: pip install 'hubbub[{extra}]'")


@pytest.mark.parametrize("arguments", [(), ("serve",), ("--version",)])
def test_the_command_without_its_extra_ends_with_one_sentence(bare: Environment, arguments: tuple[str, ...]) -> None:
    done = bare.execute("hubbub", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hubbub: The command line needs a package that is not installed (")
    assert done.stderr.endswith("Install it with: pip install 'hubbub[server]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("address", "extra"), [("nats://host", "nats"), ("postgresql://host/name", "postgresql")])
def test_a_bus_without_its_extra_names_it(bare: Environment, address: str, extra: str) -> None:
    done = bare.run(f"import hubbub; hubbub.ConnectionManager(bus='{address}')")
    assert done.stderr.splitlines()[-1].endswith(f"Install hubbub[{extra}].")


@pytest.mark.parametrize("hidden", ["fcntl", "resource", "termios", "pwd"])
def test_all_names_can_be_imported_without_a_module_that_windows_lacks(hidden: str) -> None:
    program = f"""
import sys
sys.modules["{hidden}"] = None
import hubbub
print([name for name in hubbub.__all__ if getattr(hubbub, name) is None])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"


def test_a_server_on_a_system_without_file_locks_is_refused_and_creates_nothing(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["fcntl"] = None
from hubbub.__main__ import main
sys.argv = ["hubbub", "serve", "--data", sys.argv[1]]
main()
"""
    data = tmp_path / "data"
    command = [sys.executable, "-c", program, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr == (
        "hubbub: A Hubbub server needs Linux, macOS or another Unix. On Windows, run it in a container or under WSL.\n"
    )
    assert not data.exists()
