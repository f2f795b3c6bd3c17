"""Section 4.1, Liveness, and rate limits by default: closes, drains, limits."""

import json

import pytest

from tests.conftest import MakeServer
from tests.contract.client import Frame, expect_error, expect_error_body, fresh, greet, receive, receive_rest, send
from tests.support.lines import enter, line
from tests.support.server import Account, Server


async def test_draining_closes_with_4000_and_different_retry_delays(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    one = server.sign_up("drained")
    sockets = [(await greet(server, {"token": one.token}))[0] for _ in range(8)]
    plain = await enter(server, one.name, headers=one.headers)
    await line(plain)
    process, server.process = server.process, None
    assert process is not None
    process.terminate()
    delays = set()
    for ws in sockets:
        received, code = await receive_rest(ws)
        assert (received, code) == ([], 4000)
        delays.add(json.loads(ws.close_reason or "{}")["retry_after"])
    assert len(delays) > 1
    assert all(delay > 0 for delay in delays)
    assert (await receive_rest(plain))[1] in (4000, 1001, 1012)
    assert process.wait(10) == 0
    assert "Traceback" not in server.log_text()
    assert not (server.data / "control.sock").exists()


async def test_sends_are_rate_limited_with_a_hint_and_catching_up_is_not(plain: Server, newcomer: Account) -> None:
    ws, _ = await greet(plain, {"token": newcomer.token})
    for number in range(150):
        await ws.send(json.dumps({"id": number, "type": "events.since", "topic": "room:1", "after": 0, "limit": 1}))
    answers = [await receive(ws) for _ in range(150)]
    assert [answer["error"] for answer in answers if "error" in answer] == []
    for number in range(40):
        await ws.send(json.dumps({"id": number, "type": "message.send", "room": 1, "key": fresh("haste"), "body": "x"}))
    replies: list[Frame] = []
    while len(replies) < 40:
        frame = await receive(ws)
        if "re" in frame:
            replies.append(frame)
    late = [reply for reply in replies if "error" in reply]
    assert 10 <= len(late) < 40
    for reply in late:
        assert expect_error_body(reply, "rate_limited")["retry_after"] > 0
    # A slow machine gives the bucket time to refill a little, so the request is repeated until it
    # is empty.
    for _ in range(60):
        answer = newcomer.request("POST", "/api/rooms/1/messages", json={"key": fresh("haste"), "body": "x"})
        if answer.status_code == 429:
            break
    assert expect_error(answer, "rate_limited")["retry_after"] > 0
    assert int(answer.headers["retry-after"]) >= 1
    for other in ("message.edit", "message.forward"):
        spoken = {"id": 98, "type": other, "room": 1, "message": 1, "body": "x", "from_room": 1, "key": fresh("haste")}
        codes = {(await send(ws, spoken))["error"]["code"] for _ in range(30)}
        assert "rate_limited" in codes, "all commands that send text share a limit"
    assert "ok" in await send(ws, {"id": 99, "type": "room.join", "room": 1}), "other commands have a separate limit"
    await ws.close()


@pytest.mark.parametrize("payload", ["", "x" * 125])
async def test_a_protocol_ping_is_answered_before_and_after_hello(
    open_server: Server, alice: Account, payload: str
) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    await (await ws.ping(payload.encode()))
    await ws.close(1000, "bye")
    assert ws.close_code == 1000
