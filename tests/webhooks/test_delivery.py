"""Events reach a webhook: signed, in order, and as they are when they are sent."""

import json
from contextlib import closing
from pathlib import Path

from hubbub.storage.database import Database
from hubbub.storage.restore import RESTORED
from tests.backup.content import back_up, put_back
from tests.support.waiting import eventually, eventually_async
from tests.support.world import world_at
from tests.webhooks.receiver import OK, Received, Receiver, status
from tests.webhooks.site import ALL, LOCAL, PATIENCE, Site, patch, post


async def test_a_webhook_gets_the_events_of_its_room_in_order_and_signed(here: Site, there: Receiver) -> None:
    room = await here.room("Tea")
    before = await here.say(room, "before the webhook")
    hook = await here.webhook(there.url, room)
    assert hook["secret"].startswith("whsec_")
    seqs = [await here.say(room, f"message {n}") for n in range(5)]
    await eventually(lambda: len(there.processed) == 5, PATIENCE, "five events")
    assert there.places == [(f"room:{room}", seq) for seq in seqs]
    assert before not in seqs
    assert all(each.is_signed_by(hook["secret"]) for each in there.requests)
    first = there.processed[0]
    sent = json.loads(first.content)
    assert (sent["type"], sent["timestamp"]) == ("message.sent", sent["data"]["at"])
    assert (first.event["room"], first.event["seq"], first.event["body"]) == (room, seqs[0], "message 0")
    assert first.headers["content-type"] == "application/json"
    assert abs(int(first.headers["webhook-timestamp"]) - here.clock.now() / 1_000) < PATIENCE


async def test_control_a_signature_with_another_secret_or_body_is_not_valid(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    other = await small.webhook(there.url, room)
    await small.say(room, "hello")
    await eventually(lambda: len(there.requests) == 2, PATIENCE, "both webhooks")
    request = next(each for each in there.requests if each.is_signed_by(hook["secret"]))
    assert not request.is_signed_by(other["secret"])
    forged = Received(request.path, request.headers, request.content.replace(b"hello", b"jello"))
    assert not forged.is_signed_by(hook["secret"])


async def test_a_deleted_message_is_sent_without_its_text_and_an_edited_one_with_the_new_text(
    here: Site, there: Receiver
) -> None:
    room = await here.room("Tea")
    hook = await here.webhook(there.url, room)
    there.down = True
    deleted, edited = await here.say(room, "never to be seen"), await here.say(room, "the first text")
    await eventually(
        lambda: here.rows("SELECT 1 FROM followers WHERE failing_since IS NOT NULL"), PATIENCE, "a failure"
    )
    await here.alice.ask("DELETE", f"/api/rooms/{room}/messages/{deleted}")
    await here.alice.ask("PATCH", f"/api/rooms/{room}/messages/{edited}", json={"body": "the second text"})
    there.down = False
    await patch(here.alice, hook["id"], paused=False)  # tries again at once
    await eventually(lambda: len(there.processed) == 4, PATIENCE, "all events")
    assert [each.event["type"] for each in there.processed] == [
        "message.sent", "message.sent", "message.deleted", "message.edited",
    ]  # fmt: skip
    assert there.bodies == [None, "the second text", None, "the second text"]
    assert not [each for each in there.requests if b"never" in each.content or b"first text" in each.content]


async def test_a_message_that_is_deleted_while_the_one_before_is_being_sent_is_sent_without_its_text(
    small: Site, there: Receiver
) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    await patch(small.alice, hook["id"], paused=True)
    _, second = await small.say(room, "first"), await small.say(room, "never to be seen")

    async def slowly(request: Received) -> bytes:
        if request.event.get("body") == "first":  # both entries are in the memory of the server now
            await small.alice.ask("DELETE", f"/api/rooms/{room}/messages/{second}")
        return OK

    there.respond = slowly
    await patch(small.alice, hook["id"], paused=False)
    await eventually(lambda: len(there.processed) == 3, PATIENCE, "all events")
    assert there.bodies == ["first", None, None]


async def test_only_the_chosen_types_of_events_are_sent_and_the_choice_can_change(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room, events=["reaction.added"])
    seq = await small.say(room, "hello")
    await small.alice.ask("PUT", f"/api/rooms/{room}/messages/{seq}/reactions/%F0%9F%91%8D")
    await eventually(lambda: there.processed, PATIENCE, "the reaction")
    await patch(small.alice, hook["id"], events=["message.sent", "message.sent"])
    await small.say(room, "again")
    await eventually(lambda: len(there.processed) == 2, PATIENCE, "the message")
    assert [each.event["type"] for each in there.processed] == ["reaction.added", "message.sent"]
    assert (await small.show(hook["id"], small.alice))["events"] == ["message.sent"]


async def test_both_secrets_sign_for_a_day_after_a_rotation(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    fresh = await post(small.alice, f"/api/webhooks/{hook['id']}/secret")
    assert fresh["secret"] != hook["secret"]
    await small.say(room, "one")
    await eventually(lambda: there.processed, PATIENCE, "the first event")
    small.clock.ahead += 24 * 3_600 + 1
    await small.say(room, "two", await small.here.token("alice"))
    await eventually(lambda: len(there.processed) == 2, PATIENCE, "the second event")
    one, two = there.processed
    assert one.is_signed_by(hook["secret"])
    assert one.is_signed_by(fresh["secret"])
    assert two.is_signed_by(fresh["secret"])
    assert not two.is_signed_by(hook["secret"])


async def test_a_test_event_shows_what_the_receiver_answered(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    sent = await post(small.alice, f"/api/webhooks/{hook['id']}/test")
    assert (sent["status"], sent["error"], sent["type"], sent["room"]) == (204, None, "webhook.test", None)
    assert there.requests[0].is_signed_by(hook["secret"])
    assert json.loads(there.requests[0].content)["type"] == "webhook.test"

    async def moved(request: Received) -> bytes:
        return status(302, "Location: /elsewhere")

    there.respond = moved
    await patch(small.alice, hook["id"], paused=True)
    sent = await post(small.alice, f"/api/webhooks/{hook['id']}/test")
    assert (sent["status"], sent["error"]) == (
        302, "The receiver answered 302. Redirects are not followed: change the URL.",
    )  # fmt: skip
    assert len(there.requests) == 2, "a redirect is not followed"
    listed = (await small.alice.get(f"/api/webhooks/{hook['id']}/deliveries")).json()["deliveries"]
    assert [each["status"] for each in listed] == [302, 204]
    assert (await small.show(hook["id"], small.alice))["last_delivery"] == listed[0]


async def test_the_last_delivery_and_the_lag_are_visible(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room, events=ALL)
    seq = await small.say(room, "hello")

    async def shown() -> object:
        return (await small.show(hook["id"], small.alice))["last_delivery"]

    last = await eventually_async(shown, PATIENCE, "the delivery is listed")
    assert isinstance(last, dict)
    assert (last["room"], last["seq"], last["type"], last["status"], last["error"]) == (
        room, seq, "message.sent", 204, None,
    )  # fmt: skip
    found = await small.show(hook["id"], small.alice)
    assert (found["state"], found["waiting_count"], found["failing_since"], found["dead_letter_count"]) == (
        "running", 0, None, 0,
    )  # fmt: skip
    await patch(small.alice, hook["id"], paused=True)
    await small.say(room, "while paused")
    found = await small.show(hook["id"], small.alice)
    assert (found["state"], found["waiting_count"], found["paused_reason"]) == ("paused", 1, None)
    await patch(small.alice, hook["id"], paused=False)
    await eventually(lambda: there.bodies == ["hello", "while paused"], PATIENCE, "nothing is missed")


async def test_the_same_key_gives_the_same_webhook_and_its_secret_until_that_is_replaced(
    small: Site, there: Receiver
) -> None:
    room = await small.room("Tea")
    fields = {"room": room, "name": "One", "url": there.url, "events": ALL, "key": "k"}
    first = await post(small.alice, "/api/webhooks", **fields)
    assert await post(small.alice, "/api/webhooks", **fields) == first
    assert (await small.alice.post("/api/webhooks", json={**fields, "name": "Two"})).status_code == 409
    await post(small.alice, f"/api/webhooks/{first['id']}/secret")
    again = await post(small.alice, "/api/webhooks", **fields)
    assert (again["id"], "secret" in again) == (first["id"], False)
    await small.alice.ask("DELETE", f"/api/webhooks/{first['id']}")
    assert (await small.alice.post("/api/webhooks", json=fields)).status_code == 409


async def test_webhooks_are_paused_after_a_restore_and_go_on_where_the_backup_was(
    small: Site, there: Receiver, tmp_path: Path
) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    there.down = True
    await small.say(room, "waits")
    await eventually(lambda: there.attempts, PATIENCE, "an attempt")
    with closing(Database(small.here.services.settings.database)) as database:
        back_up(database, small.here.services.settings.data, tmp_path / "chat.zip")
    there.down = False
    await eventually(lambda: there.bodies == ["waits"], PATIENCE, "the server that was backed up goes on")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    put_back(tmp_path / "chat.zip", other, tmp_path / "copy")
    async with world_at(tmp_path / "copy", database_url=other, **LOCAL) as copy:
        copy.services.webhooks._interval = copy.services.followers._interval = 0.1
        alice = await copy.token("alice")
        await post(alice, f"/api/rooms/{room}/messages", key="new", body="said in the copy")
        found = (await alice.get(f"/api/webhooks/{hook['id']}")).json()
        assert (found["state"], found["paused_reason"], found["waiting_count"]) == ("paused", RESTORED, 2)
        assert there.bodies == ["waits"]
        await patch(alice, hook["id"], paused=False)
        await eventually(lambda: len(there.bodies) == 3, PATIENCE, "it goes on")
        assert there.bodies == ["waits", "waits", "said in the copy"]
        assert len({each.id for each in there.processed}) == 3, "another history has other ids"
