"""One server for each module, with users who are logged in from the start."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.authorisation.world import create_users
from tests.support.server import Account, Server

StartServer = Callable[..., tuple[Server, dict[str, Account]]]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Return `start_server("alice", …)`, which starts a server with these users.

    "owner" and "admin" get these roles on the site. `launcher` and `settings` are those of
    `Server`.
    """
    with ExitStack() as running:

        def start(
            *names: str, settings: dict[str, str] | None = None, launcher: Sequence[str] = ("-m", "hubbub")
        ) -> tuple[Server, dict[str, Account]]:
            folder: Path = tmp_path_factory.mktemp("bugs") / "data"
            server = Server(folder, settings, launcher)
            people = asyncio.run(create_users(server, names))
            return running.enter_context(server), people

        yield start
