"""Clients with more than the backup holds reset each topic once, then agree."""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support import forked
from tests.support.client import Connection, Frame
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@dataclass
class Client:
    """What a client keeps of one room, with its rules for events and resets."""

    room: int
    epoch: str = ""
    have: dict[str, int] = field(default_factory=dict)
    messages: list[Frame] = field(default_factory=list)
    resets: Counter[str] = field(default_factory=Counter)

    @property
    def topic(self) -> str:
        return f"room:{self.room}"

    async def connect(self, account: Account) -> Connection:
        """Connect from the stored positions, take what the greeting brings, load resets."""
        connection = await Connection.open(
            account.server.websocket_url, account.token, self.have or None, self.epoch or None, on_event=self.hear
        )
        self.epoch = connection.welcome["epoch"]
        self.have = {**connection.welcome["heads"], **self.have}
        await connection.ping()
        if self.resets[self.topic]:
            page = await asyncio.to_thread(account.get, f"/api/rooms/{self.room}/messages", after=0, limit=200)
            self.messages = page["messages"]
            self.have[self.topic] = page["heads"][self.topic]
        return connection

    def hear(self, frame: Frame) -> None:
        if frame.get("type") == "reset":
            self.resets[frame["topic"]] += 1
            self.have[frame["topic"]] = frame["head"]
        elif "seq" in frame and frame["seq"] == self.have.get(frame["topic"], 0) + 1:
            self.have[frame["topic"]] += 1
            if frame["type"] == "message.sent" and frame["topic"] == self.topic:
                self.messages.append(frame)

    def view(self) -> list[tuple[int, str]]:
        return [(message["seq"], message["body"]) for message in self.messages]


async def say(connection: Connection, room: int, *bodies: str) -> None:
    for body in bodies:
        await connection.command("message.send", room=room, key=body.replace(" ", "-"), body=body)


@dataclass
class Before:
    """A chat that was backed up and then went on: the file, and what its clients know."""

    file: Path
    data: Path
    token: str
    refresh: str
    name: str
    clients: list[Client]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    folder = tmp_path_factory.mktemp("before")
    with Server(folder / "data") as server:
        account = server.sign_up("ann")
        room = account.create_room("General")
        clients = [Client(room), Client(room)]

        async def talk() -> None:
            connections = [await client.connect(account) for client in clients]
            await say(connections[0], room, *(f"kept {number}" for number in range(5)))
            await asyncio.to_thread(server.command_line, "backup", str(folder / "chat.zip"))
            await say(connections[0], room, *(f"lost {number}" for number in range(5)))
            for client, connection in zip(clients, connections, strict=True):
                await eventually(lambda: len(client.messages) == 10, 10, "both clients have all messages")  # noqa: B023
                await connection.close()

        asyncio.run(talk())
        renewed = account.try_refresh().json()
    tokens = renewed["access_token"], renewed["refresh_token"]
    return Before(folder / "chat.zip", server.data, *tokens, account.name, clients)


def restored(server: Server, file: Path, *arguments: str, module: str = "hubbub", **variables: str) -> None:
    """Run `hubbub restore` and start the server on the restored data."""
    command = [sys.executable, "-m", module, "restore", str(file), "--data", str(server.data), *arguments]
    done = forked.run(command, env={**server.environment, **variables})
    assert done.returncode == 0, done.stderr
    server.start()


def came_back(client: Client) -> Client:
    """Return a copy of the client, so that every test starts at the same point."""
    return Client(client.room, client.epoch, dict(client.have), list(client.messages))


async def verdict(server: Server, before: Before, within: float = 15.0) -> list[str]:
    """Return what is wrong after both clients reconnected.

    The early client connects at once; the late one when new messages have passed its position.
    """
    account = Account(server, 0, before.name, before.token, before.refresh)
    early, late = map(came_back, before.clients)
    wrong: list[str] = []
    connection = await early.connect(account)
    await say(connection, early.room, *(f"after {number}" for number in range(7)))
    late_connection = await late.connect(account)
    await say(late_connection, late.room, "live again")
    stored = [(message["seq"], message["body"]) for message in account.history(early.room)]
    assert len(stored) == 5 + 7 + 1
    for name, client in (("early", early), ("late", late)):
        try:
            await eventually(lambda: client.view() == stored, within, "the view is the server's")  # noqa: B023
        except AssertionError:
            wrong.append(f"{name}: sees {client.view()}, stored is {stored}")
        if client.resets != Counter(dict.fromkeys(client.have, 1)):
            wrong.append(f"{name}: resets {client.resets}, topics {list(client.have)}")
    for open_ in (connection, late_connection):
        await open_.close()
    return wrong


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_clients_from_before_a_restore_reset_each_topic_once_and_agree_again(
    make_server: MakeServer, before: Before, request: pytest.FixtureRequest, engine: str
) -> None:
    settings = {}
    if engine == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres_server")
        settings["HUBBUB_DATABASE_URL"] = postgres.empty()
    server = make_server(settings)
    await asyncio.to_thread(restored, server, before.file)
    assert not await verdict(server, before)
    # Sessions are as old as the backup, and so are their generations. Tokens issued since then must
    # still be accepted.
    account = Account(server, 0, before.name, before.token, before.refresh)
    answer = account.try_refresh()
    assert answer.status_code == 200, answer.text
    assert account.try_refresh(answer.json()["refresh_token"]).status_code == 200
    assert account.try_log_in(PASSWORD).status_code == 200


async def test_control_without_a_new_epoch_a_client_stays_wrong_and_does_not_notice(
    make_server: MakeServer, before: Before
) -> None:
    server = make_server()
    broken: dict[str, Any] = {"module": "tests.support.broken_server", "BROKEN": "keep-epoch"}
    await asyncio.to_thread(restored, server, before.file, **broken)
    wrong = await verdict(server, before, within=1.0)
    assert any(sentence.startswith("late: sees") and "'lost 4'" in sentence for sentence in wrong), wrong


async def test_restore_after_a_kill_works_in_the_same_folder_and_keeps_the_old_data(
    make_server: MakeServer, before: Before
) -> None:
    """The write-ahead log of a killed server must not be applied to the new file."""
    server = make_server(data=before.data)
    await asyncio.to_thread(restored, server, before.file, "--replace")
    assert not await verdict(server, before)
    assert not [name for name in os.listdir(server.data) if name.endswith((".new", ".part"))]  # noqa: PTH208
    (kept,) = (server.data / "backups").iterdir()
    then = Server(kept)
    assert before.name in then.command_line("user", "list")
