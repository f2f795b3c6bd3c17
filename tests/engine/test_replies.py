"""Replies after the COMMIT: each is independent of the others."""

import asyncio

from structlog.testing import capture_logs

from hubbub.engine.batch import Receipt
from tests.engine.conftest import Store
from tests.engine.test_journal import hello


async def test_a_reply_that_fails_does_not_keep_others_from_being_answered(store: Store) -> None:
    alice = await store.person("alice")
    heard: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def fail(_result: object) -> None:
        raise RuntimeError("a gateway that fails")

    with capture_logs() as said:
        with store.held():
            store.journal.enqueue(hello("first"), alice, fail, fail)
            store.journal.enqueue(hello("second"), alice, heard.set_result, heard)
        assert isinstance(await asyncio.wait_for(heard, 10), Receipt)
    assert [line["event"] for line in said if line["log_level"] == "error"] == ["reply_failed"]
