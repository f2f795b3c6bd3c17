"""A host application that writes orders and posts about them, and can be killed at each step.

Run as `python -m tests.outbox.killed_host`, with its plan as JSON in the environment variable APP_PLAN.
It writes one order after the other until it is killed, or until `orders` are written and taken over.
`step` names where it kills itself, at the second order. With `broken` it posts outside of the order's
transaction.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, RootTransaction, text

from hubbub.clock import Clock
from hubbub.domain.commands import CreateAccount, CreateRoom, SendMessage
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.batch import Batch
from hubbub.engine.host_outbox import OutboxTaker
from hubbub.engine.journal import Journal
from hubbub.outbox.posts import OutboxPost
from hubbub.storage import host_outbox, migrate
from hubbub.storage.database import Database, driver_cursor
from hubbub.storage.host_outbox import HostOutbox
from tests.outbox.host import Host, host_at
from tests.support.waiting import eventually

STEPS = (
    "inserted", "committed", "read", "submitting", "queued", "handled", "stored", "answered", "deleting", "deleted",
)  # fmt: skip
"""After the host's INSERT and its COMMIT; after the row was read; before the message is submitted, before its
transaction, before and after its COMMIT; after its answer; before and after the COMMIT that deletes the row."""
ROOMS = ("order:1", "order:2")
SECOND = 2


class Death:
    """Kills this process at a step, the second time it is reached."""

    def __init__(self, step: str | None) -> None:
        self._step, self._left = step, SECOND

    def at(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def watch(death: Death) -> None:
    """Call `death` between the steps of the taking side."""
    read, finish, cursor = HostOutbox.read, HostOutbox.finish, driver_cursor
    run, commit = Journal._run, Journal._commit

    def is_post(journal: Journal) -> bool:
        return any(isinstance(pending.command, SendMessage) for pending in journal._in_flight)

    def watched_read(self: HostOutbox, limit: int, held: Any = ()) -> Any:
        rows = read(self, limit, held)
        if rows:
            death.at("read")
        return rows

    def watched_run(self: Journal, batch: Batch, tx: Any) -> None:
        if is_post(self):
            death.at("queued")
        run(self, batch, tx)

    def watched_commit(self: Journal, transaction: RootTransaction) -> bool:
        if is_post(self):
            death.at("handled")
        done = commit(self, transaction)
        if is_post(self):
            death.at("stored")
        return done

    class Cursor:
        def __init__(self, connection: Connection) -> None:
            self._cursor = cursor(connection)

        def execute(self, statement: str) -> None:
            if statement == "COMMIT":
                death.at("deleting")
            self._cursor.execute(statement)

    def watched_finish(self: HostOutbox, *arguments: Any) -> int:
        forgotten = finish(self, *arguments)
        death.at("deleted")
        return forgotten

    HostOutbox.read = watched_read  # type: ignore[method-assign]
    HostOutbox.finish = watched_finish  # type: ignore[method-assign,assignment]
    vars(host_outbox)["driver_cursor"] = Cursor
    Journal._run, Journal._commit = watched_run, watched_commit  # type: ignore[method-assign]


async def actor(journal: Journal, database: Database) -> Actor:
    found = rows(database, "SELECT id FROM users WHERE name = 'Orders'")
    if found:
        return Actor(id=found[0][0], name="Orders", role=Role.MEMBER, session="s")
    await journal.submit(CreateAccount(username="Orders", password_hash="-", role=Role.MEMBER), SYSTEM)
    return await actor(journal, database)


async def rooms(journal: Journal, database: Database, author: Actor) -> dict[str, int]:
    for name in ROOMS:
        if not rows(database, f"SELECT id FROM rooms WHERE name = '{plain(name)}'"):
            await journal.submit(CreateRoom(name=plain(name)), author)
    found = dict(rows(database, "SELECT name, id FROM rooms"))
    return {name: found[plain(name)] for name in ROOMS}


def rows(database: Database, query: str) -> list[Any]:
    return database.read(lambda connection: [*connection.execute(text(query))])


def plain(name: str) -> str:
    return name.replace(":", "-")


def write(host: Host, number: int, broken: bool, death: Death) -> None:
    """Write an order and post about it, in one transaction unless broken."""
    room, body = ROOMS[number % len(ROOMS)], f"order {number}"
    if broken:
        host.post(body, room=room)
        death.at("inserted")
    with host.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (id, text) VALUES (:n, :body)"), {"n": number, "body": body})
        if not broken:
            host.outbox.post(connection, room=room, text=body, as_bot="Orders")
            death.at("inserted")
    death.at("committed")


async def work(plan: dict[str, Any]) -> None:
    death = Death(plan["step"])
    watch(death)
    with closing(Database(plan["chat"])) as database:
        migrate.upgrade(database, epoch="first", now=Clock().now())
        journal = Journal(database, Clock(), lambda entries: None)
        journal.start()
        author = await actor(journal, database)
        ids = await rooms(journal, database, author)

        async def post(each: OutboxPost) -> None:
            death.at("submitting")
            await journal.submit(SendMessage(room=ids[each.room], key=each.key, body=each.text), author)
            death.at("answered")

        with host_at(plan["host"]) as host:
            taker = OutboxTaker(HostOutbox(plan["host"], None, None), post, Clock())
            host.outbox.on_post(taker.hint)
            task = asyncio.create_task(taker.run())
            for number in range(plan["first"], plan["first"] + plan["orders"]):
                await asyncio.to_thread(write, host, number, plan["broken"], death)
                if plan["step"] is not None:  # one row after the other, so that each step is reached twice
                    await eventually(empty(host), 60, "the post is taken over")
            await eventually(empty(host), 60, "all posts are taken over")
            task.cancel()
            await asyncio.wait([task])
        await journal.stop()


def empty(host: Host) -> Callable[[], bool]:
    return lambda: host.waiting() == 0


if __name__ == "__main__":
    asyncio.run(work(json.loads(os.environ["APP_PLAN"])))
