"""The README's programs run, and the tests that it names as proofs exist."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.manager.test_library_page import Clients, hears
from tests.manager.test_tutorial import start
from tests.support import documents

PAGE = "README.md"
TEXT = (documents.ROOT / PAGE).read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the page in one folder."""
    made = tmp_path_factory.mktemp("readme")
    documents.write(f"../{PAGE}", made)
    return made


@pytest.fixture
def port(folder: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that runs the program."""
    process, port = start(f"{request.param}:app", "websockets-sansio", folder)
    yield port
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.parametrize("port", ["app"], indirect=True)
async def test_the_chat_of_the_readme_knows_the_users_of_the_host(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False, cookies={"user": "ada"}, timeout=60) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/chat/users/me")
        assert (answer.status_code, answer.json()["name"]) == (200, "ada")
        http.cookies.clear()
        assert (await http.get(f"http://127.0.0.1:{port}/chat/users/me")).status_code == 401


@pytest.mark.parametrize("port", ["tutorial"], indirect=True)
async def test_the_tutorial_of_the_readme_broadcasts(port: int) -> None:
    async with Clients(port) as people, asyncio.timeout(60):
        ann, bob = await people.enter("/ws/1"), await people.enter("/ws/2")
        await bob.send("hello")
        await hears(ann, "Client #2 says: hello")
        await bob.close()
        await hears(ann, "Client #2 left the chat.")


def test_the_tests_that_the_readme_names_exist() -> None:
    named = re.findall(r"`(tests/[\w./]+)`", TEXT)
    assert len(named) > 10
    assert [name for name in named if not (documents.ROOT / name).exists()] == []
