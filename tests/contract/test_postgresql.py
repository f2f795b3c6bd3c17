"""`hubbub serve` on PostgreSQL, as a process.

Acknowledged messages survive `kill -9`, once each.
"""

import asyncio

import pytest

from tests.conftest import MakeServer
from tests.support.client import Connection
from tests.support.postgres import Postgres

pytestmark = pytest.mark.faults


async def test_acknowledged_messages_survive_a_kill_on_postgresql(
    make_server: MakeServer, postgres_server: Postgres
) -> None:
    address = postgres_server.empty()
    server = make_server({"HUBBUB_DATABASE_URL": address})
    await asyncio.to_thread(server.start)
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room = alice.create_room("General")
    bob.join(room)
    seqs: dict[str, int] = {}
    connection = await Connection.open(server.websocket_url, alice.token)
    for n in range(50):
        ok = await connection.command("message.send", room=room, key=f"k{n}", body=f"message {n}")
        seqs[f"k{n}"] = ok["seq"]
    await asyncio.to_thread(server.kill)
    await connection.close()
    await asyncio.to_thread(server.start)

    assert not server.database.exists(), "PostgreSQL is used"
    assert [(message["key"], message["seq"]) for message in bob.history(room)] == list(seqs.items())
    connection = await Connection.open(server.websocket_url, alice.token, {f"room:{room}": seqs["k40"]})
    retried = await connection.command("message.send", room=room, key="k49", body="message 49")
    missed = [frame["key"] for frame in connection.frames if frame.get("type") == "message.sent"]
    assert missed == [f"k{n}" for n in range(41, 50)]
    assert retried["seq"] == seqs["k49"]
    assert len(bob.history(room)) == 50
    await connection.close()
    server.stop()
    postgres_server.drop(address)
