"""A receiver that is slow, dead or hostile delays no other receiver, and harms nothing."""

import asyncio
import time

import pytest

from hubbub.engine import webhooks
from hubbub.engine.follower_runner import SLOW_WORKING, WORKING, Kind
from hubbub.outbound import ResponseLimits
from tests.deletion.markers import in_tables
from tests.support.waiting import eventually, eventually_async
from tests.webhooks.receiver import OK, Received, Receiver, status
from tests.webhooks.site import PATIENCE, Site, patch, post

MARKER = "zqmarkerqz"
HANGING = WORKING + SLOW_WORKING + 8


async def with_hanging_receivers(here: Site, there: Receiver) -> float:
    """Return the seconds after which a quick receiver gets an event, while very many others do not answer."""
    answer = asyncio.Event()

    async def hangs(request: Received) -> bytes:
        if request.path != "/quick":
            await answer.wait()
        return OK

    there.respond = hangs
    rooms = [await here.room(f"Room {n}") for n in range(HANGING // 10 + 1)]
    for n in range(HANGING):
        await here.webhook(there.url, rooms[n // 10])
    quick = await here.room("Quick")
    await here.webhook(there.url.replace("/hook", "/quick"), quick)
    for room in rooms:
        await here.say(room, "slow")
    await eventually(lambda: len(there.requests) >= WORKING, PATIENCE, "all slots are taken")
    begin = time.monotonic()
    await here.say(quick, "quick")
    try:
        await eventually(lambda: "quick" in there.bodies, PATIENCE, "the quick receiver")
        return time.monotonic() - begin
    finally:
        answer.set()


async def test_receivers_that_do_not_answer_do_not_delay_others(
    small: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "LIMITS", ResponseLimits(seconds=PATIENCE))
    assert await with_hanging_receivers(small, there) < PATIENCE / 2


async def test_control_with_one_kind_of_slots_receivers_that_do_not_answer_delay_others(
    small: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 10.0
    monkeypatch.setattr(webhooks, "LIMITS", ResponseLimits(seconds=limit))
    monkeypatch.setattr(webhooks.WebhookFollower, "slow", False)
    assert await with_hanging_receivers(small, there) > limit / 2


async def test_the_number_of_requests_at_a_time_is_bounded(small: Site, there: Receiver) -> None:
    async def slowly(request: Received) -> bytes:
        await asyncio.sleep(0.1)
        return OK

    there.respond = slowly
    rooms = [await small.room(f"Room {n}", "public") for n in range(30)]
    for _ in range(3):
        await small.webhook(there.url, None, events=["message.sent"])
    for room in rooms:
        await small.say(room, "hello")
    await eventually(lambda: len(there.processed) == 90, PATIENCE, "all events")
    assert there.most_active <= 3 * webhooks.WebhookFollower.parallel


def test_slow_followers_have_slots_of_their_own() -> None:
    kind = Kind()
    assert kind.slots(slow=True) is not kind.slots(slow=False)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 1_000,
        b"HTTP/1.1 200",
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        status(503, "Retry-After: \x00\x01"),
        status(301, "Location: http://127.0.0.1:1/"),
        status(500, "Set-Cookie: a=b", "Content-Type: text/html; charset=\xff"),
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_a_hostile_answer_is_a_failure_with_a_sentence_and_everything_goes_on(
    small: Site, there: Receiver, answer: bytes
) -> None:
    room, other = await small.room("Tea"), await small.room("Coffee")
    hook = await small.webhook(there.url, room)
    await small.webhook(there.url.replace("/hook", "/other"), other)

    async def hostile(request: Received) -> bytes:
        return OK if request.path == "/other" else answer

    there.respond = hostile
    await small.say(room, "hello")

    async def error() -> object:
        last = (await small.show(hook["id"], small.alice))["last_delivery"]
        return last and last["error"]

    told = await eventually_async(error, PATIENCE, "the failure is shown")
    assert isinstance(told, str)
    assert told.endswith((".", "URL.")), told
    assert told.isprintable()
    assert len(told) <= 200
    await small.say(other, "elsewhere")
    await eventually(lambda: "elsewhere" in there.bodies, PATIENCE, "the other receiver")
    there.respond = accept
    await patch(small.alice, hook["id"], paused=False)
    await eventually(lambda: "hello" in there.bodies, PATIENCE, "the event is not lost")


async def accept(request: Received) -> bytes:
    return OK


async def test_a_receiver_that_repeats_what_it_got_leaves_no_text_of_a_deleted_message(
    here: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_ATTEMPTS", 2)
    room = await here.room("Tea")
    hook = await here.webhook(there.url, room, events=["message.sent"])

    async def echo(request: Received) -> bytes:
        head = f"HTTP/1.1 500 {MARKER}\r\nX-Text: {MARKER}\r\nRetry-After: {MARKER}\r\nContent-Length: 100\r\n\r\n"
        return head.encode() + request.content[:100]

    there.respond = echo
    seq = await here.say(room, MARKER)
    await eventually(lambda: here.rows("SELECT 1 FROM dead_letters"), PATIENCE, "it is given up")
    await post(here.alice, f"/api/webhooks/{hook['id']}/test")
    url = here.here.services.settings.database
    places = in_tables([MARKER], url).places[MARKER]
    assert places - {"table search_recent"} == {"table messages"}, "nothing but the search index has the text as well"
    await here.alice.ask("DELETE", f"/api/rooms/{room}/messages/{seq}")
    assert in_tables([MARKER], url).places == {}
    requests = len(there.requests)
    await post(here.alice, f"/api/webhooks/{hook['id']}/dead-letters/{room}/{seq}/retry")
    await eventually(lambda: len(there.requests) > requests, PATIENCE, "it is sent again")
    assert there.requests[-1].event["body"] is None


async def test_a_very_long_answer_is_a_success_whose_body_is_not_kept(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)

    async def long(request: Received) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"marker" * 833_334

    there.respond = long
    sent = await post(small.alice, f"/api/webhooks/{hook['id']}/test")
    assert (sent["status"], sent["error"]) == (200, None)
    listed = (await small.alice.get(f"/api/webhooks/{hook['id']}/deliveries")).text
    assert "marker" not in listed
