"""A receiver that fails gets everything later: retries for days, dead letters, and what users do about them."""

import sqlite3
from contextlib import closing

import pytest

from hubbub.engine import follower, webhooks
from tests.support.waiting import eventually, eventually_async
from tests.webhooks.receiver import OK, Received, Receiver, status
from tests.webhooks.site import PATIENCE, Site, patch, post

HOUR = 3_600
DAYS = 3


async def failing(here: Site) -> None:
    await eventually(
        lambda: here.rows("SELECT 1 FROM followers WHERE failing_since IS NOT NULL"), PATIENCE, "the failure is stored"
    )


async def waits_again(here: Site) -> None:
    """Wait until the next attempt is in the future."""

    def waits() -> bool:
        found = here.rows("SELECT next_attempt_at FROM followers WHERE next_attempt_at IS NOT NULL")
        return bool(found) and int(found[0][0]) > here.clock.now()

    await eventually(waits, PATIENCE, "the next attempt is in the future")


async def handled(here: Site, webhook: int) -> None:
    """Wait until the position of the webhook is the head: an event in flight is not replayed."""

    async def level() -> bool:
        return bool((await here.show(webhook, here.alice))["waiting_count"] == 0)

    await eventually_async(level, PATIENCE, "the position is the head")


async def down_for_days(here: Site, there: Receiver, count: int, days: int = DAYS) -> list[tuple[str, int]]:
    """Send messages to a receiver that works again after days; return their places."""
    room = await here.room("Tea")
    await here.webhook(there.url, room)
    there.loses_answers = True  # the first one is processed, and nothing else for three days
    first = await here.say(room, "message 0")
    await failing(here)
    there.loses_answers, there.down = False, True
    rest = [await here.say(room, f"message {n}") for n in range(1, count)]
    for _ in range(days * 24):
        here.clock.ahead += HOUR
        await waits_again(here)
    assert here.rows("SELECT count(*) FROM dead_letters") == [(0,)]
    there.down = False
    here.clock.ahead += HOUR + 1
    await eventually(lambda: len(there.requests) > count, PATIENCE, "everything was sent")
    return [(f"room:{room}", seq) for seq in (first, *rest)]


async def test_a_receiver_that_is_down_for_three_days_gets_everything_once_and_in_order(
    here: Site, there: Receiver
) -> None:
    sent = await down_for_days(here, there, 30)
    assert there.places == sent
    assert there.repeated == 1, "the event came again after its answer was lost, with the same id"


async def test_control_a_receiver_that_does_not_look_at_ids_processes_an_event_twice(
    small: Site, there: Receiver
) -> None:
    there.looks_at_ids = False
    sent = await down_for_days(small, there, 3, days=1)
    assert there.places == [sent[0], *sent]


async def test_an_event_is_given_up_after_many_attempts_and_can_be_sent_again(
    here: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_ATTEMPTS", 4)
    room = await here.room("Tea")
    hook = await here.webhook(there.url, room)
    there.down = True
    first, second = await here.say(room, "first"), await here.say(room, "second")
    for _ in range(4):
        await failing(here)
        await waits_again(here)
        here.clock.ahead += HOUR
    await eventually(lambda: here.rows("SELECT 1 FROM dead_letters"), PATIENCE, "the first event is given up")
    there.down = False
    here.clock.ahead += HOUR
    await eventually(lambda: there.bodies[-1:] == ["second"], PATIENCE, "the other event is sent")
    alice = await here.here.token("alice")
    path = f"/api/webhooks/{hook['id']}/dead-letters"
    listed = (await alice.get(path)).json()["dead_letters"]
    assert first in [each["seq"] for each in listed]
    assert second not in [each["seq"] for each in listed]
    assert "127.0.0.1" in listed[0]["reason"]
    assert (await here.show(hook["id"], alice))["dead_letter_count"] == 1
    await post(alice, f"{path}/{room}/{first}/retry")
    await eventually(lambda: there.bodies == ["second", "first"], PATIENCE, "it is sent again")

    async def empty() -> bool:
        return not (await alice.get(path)).json()["dead_letters"]

    await eventually_async(empty, PATIENCE, "it leaves the list")


async def test_a_dead_letter_is_sent_again_at_once_although_the_receiver_has_accepted_nothing_since(
    small: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REFUSALS", 1)
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)

    async def refuse(request: Received) -> bytes:
        return status(400)

    async def accept(request: Received) -> bytes:
        return OK

    there.respond = refuse
    seq = await small.say(room, "alone")
    await eventually(lambda: small.rows("SELECT 1 FROM dead_letters"), PATIENCE, "it is given up")
    there.respond = accept
    await post(small.alice, f"/api/webhooks/{hook['id']}/dead-letters/{room}/{seq}/retry")
    await eventually(lambda: there.bodies == ["alone"], PATIENCE, "it is sent again")


async def test_a_dead_letter_that_fails_again_stays_in_the_list_and_holds_up_nothing(
    small: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REFUSALS", 1)
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)

    async def picky(request: Received) -> bytes:
        return status(422) if request.event.get("body") == "bad" else OK

    there.respond = picky
    bad = await small.say(room, "bad")
    await eventually(lambda: small.rows("SELECT 1 FROM dead_letters"), PATIENCE, "it is given up")
    await small.say(room, "good")
    await patch(small.alice, hook["id"], paused=False)  # a failure makes the next event wait
    await eventually(lambda: there.bodies == ["good"], PATIENCE, "the next event")
    path = f"/api/webhooks/{hook['id']}/dead-letters"
    for retry in (f"{path}/{bad}/retry".replace(path, f"{path}/{room}"), f"{path}/retry"):
        requests = len(there.requests)
        await post(small.alice, retry)
        await eventually(lambda: len(there.requests) > requests, PATIENCE, "it is sent again")  # noqa: B023
        await eventually(
            lambda: small.rows("SELECT 1 FROM dead_letters WHERE NOT retry"), PATIENCE, "the failure is stored"
        )
    (letter,) = (await small.alice.get(path)).json()["dead_letters"]
    assert (letter["seq"], letter["reason"]) == (bad, "The receiver answered 422.")
    await small.say(room, "more")
    await eventually(lambda: there.bodies == ["good", "more"], PATIENCE, "nothing waits for it")
    assert (await small.alice.ask("DELETE", f"{path}/{room}/{bad}")).status_code == 204
    assert (await small.alice.ask("DELETE", f"{path}/{room}/{bad}")).status_code == 404


def test_attempts_go_on_for_three_to_four_days() -> None:
    waits = [min(follower.MAX_BACKOFF, follower.FIRST_BACKOFF * 2**n) for n in range(webhooks.MOST_ATTEMPTS - 1)]
    assert 0.8 * sum(waits) >= 3 * 24 * HOUR
    assert sum(waits) <= 4.5 * 24 * HOUR
    assert 0.5 * HOUR <= sum(waits[: webhooks.MOST_REFUSALS - 1]) <= 2 * HOUR


async def test_a_receiver_that_answers_410_pauses_the_webhook_until_a_user_resumes_it(
    small: Site, there: Receiver
) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)

    async def gone(request: Received) -> bytes:
        return status(410)

    there.respond = gone
    await small.say(room, "hello")

    async def paused() -> bool:
        return bool((await small.show(hook["id"], small.alice))["state"] == "paused")

    await eventually_async(paused, PATIENCE, "the webhook is paused")
    found = await small.show(hook["id"], small.alice)
    assert found["paused_reason"] == webhooks.GONE
    assert found["last_delivery"]["status"] == 410
    small.clock.ahead += 300
    await small.say(room, "more")
    there.respond = accept_all
    await patch(small.alice, hook["id"], paused=False)
    await eventually(lambda: there.bodies == ["hello", "more"], PATIENCE, "nothing is lost")
    assert (await small.show(hook["id"], small.alice))["paused_reason"] is None


async def accept_all(request: Received) -> bytes:
    return OK


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7200", 7_100, 7_300),
        ("99999999999999999999", webhooks.LONGEST_WAIT - 100, webhooks.LONGEST_WAIT + 100),
        ("Fri, 31 Dec 9999 23:59:59 GMT", webhooks.LONGEST_WAIT - 100, webhooks.LONGEST_WAIT + 100),
        ("0", 0, 100),
        ("-5", 0, 100),
        ("soon", 0, 100),
        ("9" * 3_000, 0, 100),
    ],
)
async def test_a_receiver_can_ask_for_a_pause_within_bounds(
    small: Site, there: Receiver, header: str, least: float, most: float
) -> None:
    room = await small.room("Tea")
    await small.webhook(there.url, room)

    async def busy(request: Received) -> bytes:
        return status(429, f"Retry-After: {header}")

    there.respond = busy
    await small.say(room, "hello")
    await failing(small)
    ((at, since),) = small.rows("SELECT next_attempt_at, failing_since FROM followers WHERE failing_since IS NOT NULL")
    assert least * 1_000 <= at - since <= most * 1_000


async def test_a_webhook_of_the_site_goes_on_in_other_rooms_when_one_event_fails(small: Site, there: Receiver) -> None:
    rooms = [await small.room(name, "public") for name in ("Tea", "Coffee")]
    hook = await small.webhook(there.url, None, events=["message.sent"])

    async def picky(request: Received) -> bytes:
        return status(500) if request.event["room"] == rooms[0] else OK

    there.respond = picky
    first = await small.say(rooms[0], "fails")
    await eventually(lambda: there.requests, PATIENCE, "the first attempt")
    await small.say(rooms[1], "arrives")
    await eventually(lambda: there.bodies == ["arrives"], PATIENCE, "the other room")

    async def only_the_first_waits() -> bool:
        found = await small.show(hook["id"])
        return found["next_attempt_at"] is not None and found["waiting_count"] == 1

    await eventually_async(only_the_first_waits, PATIENCE, "one event waits")
    there.respond = accept_all
    await patch(small.owner, hook["id"], paused=False)
    await eventually(lambda: there.bodies == ["arrives", "fails"], PATIENCE, "the room that waited")
    assert there.places[1] == (f"room:{rooms[0]}", first)


async def test_events_can_be_sent_again_from_a_position_but_not_from_before_the_webhook(
    here: Site, there: Receiver
) -> None:
    room = await here.room("Tea")
    await here.say(room, "before")
    hook = await here.webhook(there.url, room)
    there.looks_at_ids = False
    first, second = await here.say(room, "first"), await here.say(room, "second")
    await eventually(lambda: there.bodies == ["first", "second"], PATIENCE, "both")
    await handled(here, hook["id"])
    path = f"/api/webhooks/{hook['id']}/replay"
    await post(here.alice, path, room=room, seq=first)
    await eventually(lambda: there.bodies == ["first", "second", "second"], PATIENCE, "the second one again")
    for body in ({"seq": 0}, {"room": room, "seq": 0}):
        await handled(here, hook["id"])
        seen = len(there.processed)
        await post(here.alice, path, **body)
        await eventually(lambda: len(there.processed) == seen + 2, PATIENCE, "both again")  # noqa: B023
    assert "before" not in there.bodies
    assert {each.id for each in there.processed if each.event["seq"] == second} == {there.processed[1].id}
    assert (await here.alice.post(path, json={"room": room, "seq": 10**6})).status_code == 404
    assert (await here.alice.post(path, json={"room": 10**6, "seq": 0})).status_code == 404


async def test_events_that_the_log_lost_before_they_were_sent_are_listed(small: Site, there: Receiver) -> None:
    from hubbub.domain.commands.housekeeping import TrimTopic
    from hubbub.domain.model import SYSTEM

    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    await patch(small.alice, hook["id"], paused=True)
    lost = await small.say(room, "lost")
    small.clock.ahead += 100
    trim = TrimTopic(topic=f"room:{room}", before=small.clock.now() - 50_000)
    await small.here.services.journal.submit(trim, SYSTEM)
    await small.say(room, "kept")
    await patch(small.alice, hook["id"], paused=False)
    await eventually(lambda: there.bodies == ["kept"], PATIENCE, "what is left")
    listed = (await small.alice.get(f"/api/webhooks/{hook['id']}/deliveries")).json()["deliveries"]
    assert [(each["type"], each["seq"], each["error"]) for each in listed[1:]] == [
        ("webhook.lost", lost, webhooks.LOST),
    ]  # fmt: skip


async def test_dead_letters_are_listed_page_by_page(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    letters = [(f"webhook:{hook['id']}", f"room:{room}", seq) for seq in (3, 4, 5)]
    with closing(sqlite3.connect(str(small.here.services.database.path), timeout=30)) as database, database:
        database.executemany("INSERT INTO dead_letters VALUES (?, ?, ?, 0, 1, 'broken', 0)", letters)
    path = f"/api/webhooks/{hook['id']}/dead-letters"
    first = (await small.alice.get(path, params={"limit": 2})).json()
    assert ([each["seq"] for each in first["dead_letters"]], first["more"]) == ([3, 4], True)
    rest = (await small.alice.get(path, params={"after": f"room:{room},4"})).json()
    assert ([each["seq"] for each in rest["dead_letters"]], rest["more"]) == ([5], False)
