"""A server as the tutorial's readers expect it: open to sign up, open to guests."""

from collections.abc import Iterator

import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that lets guests in."""
    with Server(tmp_path_factory.mktemp("open") / "data", {"HUBBUB_GUESTS": "on"}) as running:
        yield running
