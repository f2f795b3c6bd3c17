"""The example as a process on ASGI servers, and a Hubbub in this process whose app a test plays."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.mounted.around import AppAround
from tests.support.mounted import SERVERS, MountedServer

MakeMounted = Callable[..., MountedServer]
ON_ALL_SERVERS = pytest.mark.parametrize("asgi_server", list(SERVERS))
ON_TWO_SERVERS = pytest.mark.parametrize("asgi_server", ["uvicorn", "hypercorn"])
"""For what takes long and depends little on the server."""


@pytest.fixture
def make_mounted(tmp_path: Path) -> Iterator[MakeMounted]:
    """Build a server that is not started yet: `make_mounted("hypercorn", app=…, settings={…})`."""
    made: list[MountedServer] = []

    def make(asgi_server: str = "uvicorn", settings: dict[str, str] | None = None, **options: str) -> MountedServer:
        server = MountedServer(tmp_path / f"app{len(made)}", asgi_server, **options)
        server.settings.update(settings or {})
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], MountedServer]]:
    """One running example for each ASGI server, started when it is first asked for."""
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
    """The running example; the test is marked with ON_ALL_SERVERS."""
    return examples(asgi_server)


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[AppAround]:
    """Started, at the root, with the app's log-in in the test's hands."""
    app = AppAround(tmp_path / "chat")
    async with app.hubbub.lifespan():
        yield app
