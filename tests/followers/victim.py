"""A node that ends itself with SIGKILL at one step of a follower's work.

`python -m tests.followers.victim CASE URL FOLDER STEP COUNT` kills itself when the step is reached
for the COUNT-th time. With the step `none` it works until it is killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hubbub.domain.commands.followers import AddDeadLetter, AdvanceFollowers, FollowerCommand
from hubbub.domain.events import Entry
from hubbub.engine.batch import Batch
from hubbub.engine.follower import Follower
from hubbub.engine.followers import LEASE, RENEWAL
from hubbub.engine.journal import Journal
from hubbub.features import followers as features
from hubbub.features import search_index
from hubbub.features.shared import followers
from tests.followers.cases import CASES
from tests.followers.controls import BROKEN
from tests.followers.node import node_at

STEPS = ("before the effect", "after the effect", "in the transaction", "before the commit", "after the commit")
SHORT_LEASE = (1_000, 0.2)
"""The lease of a victim, which its successor waits for on PostgreSQL."""
STORING = (AdvanceFollowers, FollowerCommand, AddDeadLetter)


class Step:
    """Ends the process when the chosen step is reached often enough."""

    def __init__(self, chosen: str, count: int) -> None:
        self._chosen, self._left = chosen, count
        self.never = chosen == "none"

    def reached(self, step: str) -> None:
        if step != self._chosen:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched(Follower):
    """A follower with steps around its effect."""

    def __init__(self, inner: Follower, step: Step) -> None:
        self.name, self.scope, self.types, self.parallel = inner.name, inner.scope, inner.types, inner.parallel
        self.max_entries = 3
        self._inner, self._step = inner, step

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        self._step.reached("before the effect")
        command = await self._inner.handle(topic, entries)
        self._step.reached("after the effect")
        return command

    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        return await self._inner.reset(topic, floor)


def watch_the_journal(step: Step) -> None:
    """Add the steps of transactions that store positions."""
    advance_all, commit, transact = followers.advance_all, Journal._commit, Journal._transact
    storing = False

    def advanced(*args: Any) -> Any:
        outcomes = advance_all(*args)
        step.reached("in the transaction")
        return outcomes

    def transacted(self: Journal, batch: Batch) -> None:
        nonlocal storing
        storing = any(isinstance(pending.command, STORING) for pending in batch.commands)
        transact(self, batch)

    def committed(self: Journal, transaction: Any) -> bool:
        if storing:
            step.reached("before the commit")
        done = commit(self, transaction)
        if storing:
            step.reached("after the commit")
        return done

    for module in (followers, features, search_index):
        vars(module)["advance_all"] = advanced
    Journal._commit = committed  # type: ignore[method-assign]
    Journal._transact = transacted  # type: ignore[method-assign]


async def work(name: str, url: str, folder: Path, step: Step) -> None:
    case = {case.name: case for case in (*CASES, *BROKEN)}[name](folder)
    watch_the_journal(step)
    lease, renewal = (LEASE, RENEWAL) if step.never else SHORT_LEASE
    async with node_at(url, lease=lease, renewal=renewal) as node:
        await node.followers.add(Watched(case.follower(node), step))
        (folder / "ready").touch()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Step(sys.argv[4], int(sys.argv[5]))))
