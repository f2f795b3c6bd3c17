"""One server for each module, with people who are logged in on it from the start."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.authorisation.cast import settle
from tests.support.server import Account, Server

Settled = Callable[..., tuple[Server, dict[str, Account]]]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """`settled("alice", …)`: a running server of its own and these people; "owner" and "admin" are the site's.

    `launcher` and `settings` are those of `Server`.
    """
    with ExitStack() as running:

        def start(
            *names: str, settings: dict[str, str] | None = None, launcher: Sequence[str] = ("-m", "hubbub")
        ) -> tuple[Server, dict[str, Account]]:
            folder: Path = tmp_path_factory.mktemp("bugs") / "data"
            server = Server(folder, settings, launcher)
            people = asyncio.run(settle(server, names))
            return running.enter_context(server), people

        yield start
