"""Every program in docs/client.md, and examples/bot.py, run against a real server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.quick import DEADLINE, Consumer, QuickClient
from tests.support import documents
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually

PAGE = "client.md"
BOT = Path(__file__).resolve().parents[2] / "examples" / "bot.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents.write(PAGE, tmp_path)
    return tmp_path


class Program:
    """A program that runs in a folder, and the lines it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def rest(self) -> list[str]:
        """Return what the program prints until it ends by itself."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            text = (await self.process.stdout.read()).decode()
            assert await self.process.wait() == 0, text
        return text.splitlines()


@asynccontextmanager
async def running(path: Path, folder: Path, **environment: str) -> AsyncIterator[Program]:
    """Run the program; kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(path), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def credentials(account: Account, prefix: str = "") -> dict[str, str]:
    return {f"{prefix}URL": account.server.url, f"{prefix}NAME": account.name, f"{prefix}PASSWORD": PASSWORD}


def test_every_program_on_the_page_has_a_test_here() -> None:
    assert set(documents.blocks(PAGE)) == {"hello.py", "listen.py", "resume.py", "refusals.py"}


async def test_the_hello_program_sends_a_message_and_ends_its_session(server: Server, folder: Path) -> None:
    ann = server.sign_up("ann")
    async with running(folder / "hello.py", folder, **credentials(ann)) as program:
        (line,) = await program.rest()
    (seq,) = [message["seq"] for message in ann.history(1) if message["by"] == ann.id]
    assert line == f"{ann.name} said it at room:1 {seq}"
    assert len(ann.get("/api/sessions")["sessions"]) == 1, "the session ends with the program"


async def test_the_listening_program_prints_messages_until_stopped(server: Server, folder: Path) -> None:
    ann, bob = server.sign_up("ann"), server.sign_up("bob")
    async with (
        running(folder / "listen.py", folder, **credentials(ann)) as program,
        QuickClient(server.url, token=bob.token) as client,
    ):
        assert (await program.line()).startswith("listening in ")
        await client.send(1, "hello")
        await client.send(1, "stop")
        lines = await program.rest()
    lobby = client.rooms[1].name
    assert lines[-2:] == [f"{lobby}: {bob.name}: hello", f"{bob.name} wants an end"]


async def test_the_refusals_program_prints_both_errors(server: Server, folder: Path) -> None:
    ann = server.sign_up("ann")
    async with running(folder / "refusals.py", folder, **credentials(ann)) as program:
        lines = await program.rest()
    assert len(lines) == 2
    assert all(line.startswith("refused: ") for line in lines)


@pytest.mark.parametrize("bot", [None, BOT], ids=["resume.py", "bot.py"])
async def test_a_bot_answers_once_to_messages_sent_while_it_was_down(
    server: Server, folder: Path, bot: Path | None
) -> None:
    ann, robot = server.sign_up("ann"), server.sign_up("robot")
    room = ann.create_room(f"with {robot.name}")
    robot.join(room)
    prefix, reply = ("BOT_", f"pong, {ann.name}") if bot else ("", "I heard !ping")
    path = bot or folder / "resume.py"
    async with QuickClient(server.url, token=ann.token) as client, Consumer(client) as consumer:
        async with running(path, folder, **credentials(robot, prefix)) as program:
            await program.line()
            await client.send(room, "!ping")
            await consumer.hears(room, "!ping", reply)
        await client.send(room, "!ping")
        async with running(path, folder, **credentials(robot, prefix)) as program:
            await program.line()
            await consumer.hears(room, "!ping", reply, "!ping", reply)
            await client.send(room, "!ping")
            await consumer.hears(room, *["!ping", reply] * 3)


async def test_the_bot_joins_new_rooms(server: Server, folder: Path) -> None:
    ann, robot = server.sign_up("ann"), server.sign_up("robot")
    async with running(BOT, folder, **credentials(robot, "BOT_")) as program:
        await program.line()
        room = ann.create_room(f"new for {robot.name}")
        async with QuickClient(server.url, token=ann.token) as client, Consumer(client) as consumer:
            await eventually(
                lambda: robot.request("GET", f"/api/rooms/{room}").json()["room"]["joined"],
                DEADLINE,
                "the bot joined the room",
            )
            await client.send(room, "!ping")
            await consumer.hears(room, "!ping", f"pong, {ann.name}")
