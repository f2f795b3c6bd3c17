"""kill -9 between every two steps: a message exists if and only if its order does, once and in order."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.outbox.conftest import ENGINES
from tests.outbox.killed_host import ROOMS, STEPS, plain
from tests.support import depth, forked
from tests.support.waiting import eventually_blocking

pytestmark = pytest.mark.faults

DEADLINE = 90.0
PER_RUN = 5
MANY = 100_000


class Runs:
    """Runs of the host application on the same two databases."""

    def __init__(self, host: str, chat: str, log: Path, *, broken: bool = False) -> None:
        self._plan: dict[str, Any] = {"host": host, "chat": chat, "broken": broken, "first": 0}
        self._log = log

    def start(self, step: str | None, orders: int = PER_RUN) -> forked.Process:
        plan = {**self._plan, "step": step, "orders": orders}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "tests.outbox.killed_host"]
            return forked.start(command, env={**os.environ, "APP_PLAN": json.dumps(plan)}, stdout=log)

    def run(self, step: str | None, orders: int = PER_RUN) -> None:
        """Run until it is killed at `step`, or to the end."""
        process = self.start(step, orders)
        code = process.wait(DEADLINE)
        assert code == (0 if step is None else -signal.SIGKILL), f"at {step}: {code}\n{self._log.read_text()[-4000:]}"
        self._plan["first"] += 1_000

    def killed_after(self, seconds: float) -> None:
        """Run under load, and kill it so many seconds after its first order."""
        process, first = self.start(None, MANY), self._plan["first"]
        try:
            eventually_blocking(lambda: self.count(f"id >= {first}") > 0, DEADLINE, "there is an order")
            time.sleep(seconds)  # any moment is as good as another one
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE)
        self._plan["first"] += MANY

    def count(self, condition: str = "id >= 0") -> int:
        try:
            return len(self._rows("host", f"SELECT id FROM orders WHERE {condition}"))
        except Exception:  # the table is not there yet, or the file is busy
            return 0

    def violations(self) -> list[str]:
        """Compare the messages of each room with the orders that were committed."""
        orders = [number for (number,) in self._rows("host", "SELECT id FROM orders ORDER BY id")]
        found = []
        for index, room in enumerate(ROOMS):
            query = (
                f"SELECT body FROM messages JOIN rooms ON rooms.id = messages.room WHERE rooms.name = '{plain(room)}'"
            )
            posted = [body for (body,) in self._rows("chat", f"{query} ORDER BY messages.seq")]
            expected = [f"order {number}" for number in orders if number % len(ROOMS) == index]
            found += [f"{room}: lost {body!r}" for body in expected if body not in posted]
            found += [f"{room}: posted without an order {body!r}" for body in posted if body not in expected]
            found += [f"{room}: repeated {body!r}" for body in {*posted} if posted.count(body) > 1]
            if not found and posted != expected:
                found.append(f"{room}: reordered {posted}")
        waiting = self._rows("host", "SELECT room FROM hubbub_outbox")
        return found + [f"{room}: a row is left" for (room,) in waiting]

    def _rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        engine = create_engine(self._plan[database], poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@ENGINES
def test_a_message_exists_if_and_only_if_its_order_does_whichever_step_the_kill_hits(
    host_url: str, tmp_path: Path
) -> None:
    runs = Runs(host_url, f"sqlite:///{tmp_path / 'chat.db'}", tmp_path / "log")
    for step in STEPS:
        runs.run(step)
    runs.run(None)
    assert runs.count() > len(STEPS), "each run wrote orders"
    assert runs.violations() == []


@ENGINES
def test_control_posts_outside_of_the_transaction_exist_without_their_order(host_url: str, tmp_path: Path) -> None:
    runs = Runs(host_url, f"sqlite:///{tmp_path / 'chat.db'}", tmp_path / "log", broken=True)
    runs.run("inserted")
    runs.run(None)
    assert any("posted without an order" in each for each in runs.violations()), runs.violations()


@ENGINES
def test_a_message_exists_if_and_only_if_its_order_does_whenever_the_kill_comes(host_url: str, tmp_path: Path) -> None:
    runs = Runs(host_url, f"sqlite:///{tmp_path / 'chat.db'}", tmp_path / "log")
    for _ in range(depth.rounds("kills of a host that posts", short=1, long=200)):
        runs.killed_after(random.uniform(0, 1))
    runs.run(None)
    assert runs.count() > PER_RUN
    assert runs.violations() == []
