"""The programs in docs/mounting.md run under uvicorn, as the page says."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support import documents
from tests.support.mounted import MountedServer

COOKIE = {"Cookie": "session=a-cookie-of-your-app"}
WITHIN = 20.0


class Program(MountedServer):
    """A program of the page in its own folder, on a free port."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, app=f"{name}:app")
        self.data = folder / "chat-data"
        self.where += ["--app-dir", str(folder)]
        self.settings["HUBBUB_DATA"] = str(self.data)
        documents.write("mounting.md", folder)
        for path in folder.glob("*.py"):
            path.write_text(
                path.read_text()
                .replace("http://127.0.0.1:8000", self.origin)
                .replace('"chat-data"', repr(str(self.data)))
            )


@pytest.mark.parametrize("name", ["app", "composed", "page"])
async def test_the_programs_of_the_page_run(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    program = Program(folder, name)
    await asyncio.to_thread(program.start)
    try:
        async with httpx.AsyncClient(headers=COOKIE, trust_env=False) as browser:
            assert (await browser.get(f"{program.url}/users/me")).json()["name"] == "Ada"
            headers = {**COOKIE, "Origin": program.origin}
            async with connect(program.websocket_url, additional_headers=headers, proxy=None) as socket:
                await socket.send('{"type":"hello"}')
                assert json.loads(await socket.recv())["type"] == "welcome"
                if name == "page":
                    assert "<hubbub-room" in (await browser.get(f"{program.origin}/orders/42")).text
                    assert "hubbub-room" in (await browser.get(f"{program.url}/embed.js")).text
                if name == "app":
                    assert (await browser.post(f"{program.origin}/logout")).status_code == 200
                    with pytest.raises(ConnectionClosed):
                        async with asyncio.timeout(WITHIN):
                            await socket.recv()
                    assert socket.close_code == 4503
                    assert (await browser.get(f"{program.url}/users/me")).status_code == 401
    finally:
        program.stop()
    assert ("what your app does first" in program.log_text()) == (name == "composed")
    assert "Traceback" not in program.log_text()


async def test_the_program_that_calls_the_chat_runs(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    program = Program(folder, "orders")
    await asyncio.to_thread(program.start)
    try:
        async with httpx.AsyncClient(base_url=program.origin, trust_env=False, timeout=WITHIN) as browser:
            room = (await browser.post("/orders/42")).json()
            assert (await browser.post("/orders/42")).json() == room
            assert (await browser.post("/orders/42/ask", params={"question": "When?"})).status_code == 200
            first = (await browser.post("/orders/42/shipped")).json()
            assert (await browser.post("/orders/42/shipped")).json() == first
            assert (await browser.get("/badge")).json() == {"messages": 1, "mentions": 1}
            lines = (await browser.get("/orders/42/history")).json()
            assert lines == ["Ada: When?", "Shop: Shipped, @Ada."]
    finally:
        program.stop()
    assert "Traceback" not in program.log_text()


async def test_the_program_with_tokens_runs(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    program = Program(folder, "tokens")
    await asyncio.to_thread(program.start)
    try:
        async with httpx.AsyncClient(trust_env=False) as browser:
            assert (await browser.get(f"{program.origin}/api/chat-token")).status_code == 401
            assert (await browser.get(f"{program.url}/users/me", headers=COOKIE)).status_code == 401
            given = (await browser.get(f"{program.origin}/api/chat-token", headers=COOKIE)).json()
            bearer = {"Authorization": f"Bearer {given['token']}"}
            assert (await browser.get(f"{program.url}/users/me", headers=bearer)).json()["name"] == "Ada"
            page = (await browser.get(f"{program.url}/", headers={"Accept": "text/html"})).text
            assert "&quot;token_url&quot;:&quot;/api/chat-token&quot;" in page
    finally:
        program.stop()
    assert "Traceback" not in program.log_text()
