"""Fixtures: the example on ASGI servers, and a host application in process."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.mounted.host_app import HostApp
from tests.support.mounted import SERVERS, MountedServer
from tests.support.postgres import Postgres

MakeMounted = Callable[..., MountedServer]
ON_ALL_SERVERS = pytest.mark.parametrize("asgi_server", list(SERVERS))
ON_TWO_SERVERS = pytest.mark.parametrize("asgi_server", ["uvicorn", "hypercorn"])
"""For tests that take long and depend little on the server."""


@pytest.fixture
def make_mounted(tmp_path: Path) -> Iterator[MakeMounted]:
    """Return a factory of servers that are not started:

    `make_mounted("hypercorn", app=…, settings={…})`.
    """
    made: list[MountedServer] = []

    def make(
        asgi_server: str = "uvicorn", settings: dict[str, str] | None = None, app: str = "examples.mounted:app"
    ) -> MountedServer:
        server = MountedServer(tmp_path / f"app{len(made)}", asgi_server, app)
        server.settings.update(settings or {})
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], MountedServer]]:
    """One running example for each ASGI server, started at first use."""
    running: dict[str, MountedServer] = {}

    def on(asgi_server: str) -> MountedServer:
        if asgi_server not in running:
            running[asgi_server] = MountedServer(tmp_path_factory.mktemp("mounted") / asgi_server, asgi_server)
            running[asgi_server].start()
        return running[asgi_server]

    yield on
    for server in running.values():
        server.kill()
        assert "Traceback" not in server.log_text(), server.log_text()[-6000:]


@pytest.fixture
def example(examples: Callable[[str], MountedServer], asgi_server: str) -> MountedServer:
    """The running example; tests that use it are marked with ON_ALL_SERVERS."""
    return examples(asgi_server)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[HostApp]:
    """A host application whose log-in the test controls, with Hubbub at its root."""
    app = HostApp(tmp_path / "chat")
    async with app.hubbub.lifespan():
        yield app


@pytest.fixture
async def chat(tmp_path: Path, database_url: str) -> AsyncIterator[HostApp]:
    """A host application on each database."""
    app = HostApp(tmp_path / "chat", database_url=database_url)
    async with app.hubbub.lifespan():
        yield app


@pytest.fixture
async def nodes(tmp_path: Path, postgres_server: Postgres, patient_postgresql: None) -> AsyncIterator[list[HostApp]]:
    """Two nodes of one site in this process, with PostgreSQL as their bus."""
    url = postgres_server.fresh()
    apps = [HostApp(tmp_path / f"node{number}", database_url=url, bus_url="postgresql") for number in range(2)]
    async with AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.hubbub.lifespan())
        yield apps
    postgres_server.drop(url)
