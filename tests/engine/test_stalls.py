"""A stalled event loop does not count as an unavailable database."""

import asyncio
import threading
import time

import pytest

from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import Unavailable
from hubbub.domain.model import LOBBY
from hubbub.engine.batch import Batch
from hubbub.engine.journal import DEADLINE, SWEEP_INTERVAL, Journal
from tests.engine.conftest import Store


@pytest.mark.parametrize("still", [True, False])
async def test_the_journals_deadline_counts_only_time_in_which_the_loop_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch, still: bool
) -> None:
    alice = await store.person("alice")
    reached, released = threading.Event(), threading.Event()
    transact = Journal._transact

    def slow(self: Journal, batch: Batch) -> None:
        reached.set()
        released.wait(30)
        transact(self, batch)

    monkeypatch.setattr(Journal, "_transact", slow)
    sent = asyncio.ensure_future(store.journal.submit(SendMessage(room=LOBBY, key="a", body="hello"), alice))
    await asyncio.to_thread(reached.wait, 10)
    if still:
        time.sleep(2 * DEADLINE)  # noqa: ASYNC251  the stall is the fault under test
        asyncio.get_running_loop().call_later(2 * SWEEP_INTERVAL, released.set)
        await sent
    else:
        with pytest.raises(Unavailable):
            await sent
        released.set()
