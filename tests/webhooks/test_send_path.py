"""Webhooks cost a send nothing: it has the same statements with them and without them."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hubbub.domain.commands.webhooks import CreateWebhook
from hubbub.storage import messages
from hubbub.storage.database import Statement
from hubbub.storage.transaction import Transaction
from tests.followers.node import Node, node_at

Statements = list[str]


async def of_a_send(node: Node, patch: pytest.MonkeyPatch, webhooks: int) -> Statements:
    """Return the statements of a send, with this many webhooks of the room and of the site."""
    await node.enrol()
    room = await node.room("Tea")
    for where in (room, None):
        for n in range(webhooks):
            url = f"https://receiver.example/{n}"
            command = CreateWebhook(room=where, name="A", url=url, events=("message.sent",), secret="whsec_AA==")
            await node.journal.submit(command, node.actor)
    await node.send(room, "warm", "w")
    found: Statements = []
    run = Statement.run

    def counted(self: Statement, connection: Connection, **parameters: Any) -> Any:
        found.append(self.compiled(connection.dialect)[0])
        return run(self, connection, **parameters)

    execute = Connection._execute_context

    def executed(self: Connection, *arguments: Any, **more: Any) -> Any:
        found.append(str(arguments[2]))
        return execute(self, *arguments, **more)

    with patch.context() as patched:
        patched.setattr(Statement, "run", counted)
        patched.setattr(Connection, "_execute_context", executed)
        await node.send(room, "hello", "h")
    return found


async def test_a_send_has_the_same_statements_with_webhooks_and_without(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node_at(database_url) as node:
        with_webhooks = await of_a_send(node, monkeypatch, 5)
    async with node_at(f"sqlite:///{tmp_path / 'other.db'}") as node:
        without = await of_a_send(node, monkeypatch, 0)
    assert with_webhooks
    assert len(with_webhooks) == len(without)


async def test_control_a_statement_more_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with node_at(f"sqlite:///{tmp_path / 'one.db'}") as node:
        usual = await of_a_send(node, monkeypatch, 1)
    insert_all = messages.insert_all

    def inserted(tx: Transaction, *arguments: Any) -> Any:
        tx.connection.exec_driver_sql("SELECT 1")
        return insert_all(tx, *arguments)

    monkeypatch.setattr("hubbub.features.messages.messages.insert_all", inserted)
    async with node_at(f"sqlite:///{tmp_path / 'two.db'}") as node:
        assert len(await of_a_send(node, monkeypatch, 1)) == len(usual) + 1
