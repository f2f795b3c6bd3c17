"""Fixture: a server with open sign-up and guests, as in the tutorial."""

from collections.abc import Iterator

import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def guest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that admits guests."""
    with Server(tmp_path_factory.mktemp("open") / "data", {"HUBBUB_GUESTS": "on"}) as running:
        yield running
