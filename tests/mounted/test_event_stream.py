"""Server-sent events on other ASGI servers, with users of the host application."""

import asyncio
import signal

import pytest

from tests.mounted.conftest import MakeMounted
from tests.support.event_source import EventSource
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("asgi_server", ["uvicorn", "hypercorn"])
async def test_a_stream_is_live_and_does_not_hold_up_the_end_of_the_server(
    make_mounted: MakeMounted, asgi_server: str
) -> None:
    server = make_mounted(asgi_server)
    await asyncio.to_thread(server.start)
    account = server.sign_up("ann")
    room = account.create_room("Streamed")
    async with EventSource(account, f"room:{room}") as stream:
        await stream.open(after=1)
        answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": "live", "key": "live"})
        assert answer.status_code in (200, 201)
        await eventually(lambda: stream.bodies() == ["live"], 20, "the message arrives")
        assert stream.headers["cache-control"] == "no-store"
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        await stream.ends(20)
        process, server.process = server.process, None
        await asyncio.to_thread(process.wait, 20)
        await asyncio.to_thread(server.start)
        await stream.open()
        answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": "again", "key": "again"})
        await eventually(lambda: stream.bodies() == ["live", "again"], 20, "the stream resumes")
        head = account.get(stream.path, after=0)["head"]
        assert list(stream.seqs()) == list(range(2, head + 1))
    log = server.log_text()  # hypercorn reports the connections that it cuts off as its own errors
    assert "Traceback" not in log or asgi_server == "hypercorn", log[-4000:]
    assert "event_stream.py" not in log, log[-4000:]
