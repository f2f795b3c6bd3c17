"""Who manages webhooks, and what a webhook may see."""

import sqlite3
from contextlib import closing

import pytest

from hubbub.domain.model import LOBBY, Role
from hubbub.features import webhooks
from hubbub.features.webhooks import NOT_RESPONSIBLE
from tests.support.waiting import eventually, eventually_async
from tests.support.world import Person
from tests.webhooks.receiver import Receiver
from tests.webhooks.site import ALL, PATIENCE, Site, patch, post


async def paused_for_want_of_right(here: Site, webhook: int, who: Person) -> None:
    async def paused() -> bool:
        return bool((await here.show(webhook, who))["paused_reason"] == NOT_RESPONSIBLE)

    await eventually_async(paused, PATIENCE, "the webhook is paused")


async def test_a_webhook_of_the_site_gets_public_rooms_and_no_private_or_direct_ones(
    here: Site, there: Receiver
) -> None:
    old = {kind: await here.room(f"Old {kind}", kind) for kind in ("public", "private")}
    hook = await here.webhook(there.url, None, events=["message.sent", "room.created", "member.joined"])
    new = {kind: await here.room(f"New {kind}", kind) for kind in ("public", "private")}
    direct = (await post(here.alice, "/api/rooms", kind="direct", members=[here.bob.id]))["room"]["id"]
    for room in (*old.values(), *new.values(), direct):
        await here.say(room, f"said in {room}")
    await here.say(LOBBY, "said in the lobby")
    await eventually(lambda: "said in the lobby" in there.bodies, PATIENCE, "the lobby")
    await eventually(lambda: not_waiting(here), PATIENCE, "every room was looked at")
    assert {each.event["room"] for each in there.requests} == {old["public"], new["public"], LOBBY}
    hidden = [str(room) for room in (old["private"], new["private"], direct)]
    assert not [each for each in there.requests if any(room in each.content.decode() for room in hidden)]
    created = [each.event["room"] for each in there.processed if each.event["type"] == "room.created"]
    assert created == [new["public"]]
    for room in (old["private"], direct):
        answer = await here.owner.post(f"/api/webhooks/{hook['id']}/replay", json={"room": room, "seq": 0})
        assert answer.status_code == 404, "a hidden room looks as if it did not exist"


def not_waiting(here: Site) -> bool:
    query = """SELECT 1 FROM topics
        LEFT JOIN follower_positions p ON p.topic = topics.topic AND p.follower LIKE 'webhook%'
        WHERE topics.topic LIKE 'room:%' AND topics.head <> coalesce(p.seq, 0)"""
    return not here.rows(query)


async def test_a_webhook_gets_no_text_of_messages_from_before_it(here: Site, there: Receiver) -> None:
    room = await here.room("Tea", history="joined")
    old = await here.say(room, "an old secret")
    hook = await here.webhook(there.url, room)
    await here.alice.ask("PATCH", f"/api/rooms/{room}/messages/{old}", json={"body": "the secret, edited"})
    new = await here.say(room, "something new")
    await here.alice.ask("PATCH", f"/api/rooms/{room}/messages/{new}", json={"body": "something newer"})
    await eventually(lambda: len(there.processed) == 3, PATIENCE, "three events")
    edit, _, second = there.processed
    assert (edit.event["message"], edit.event["body"]) == (old, None)
    assert (second.event["message"], second.event["body"]) == (new, "something newer")
    await post(here.alice, f"/api/webhooks/{hook['id']}/replay", room=room, seq=0)
    await eventually(lambda: there.repeated == 3, PATIENCE, "the same events again")
    assert not [each for each in there.requests if b"secret" in each.content]


async def test_control_the_log_has_the_text_that_the_webhook_does_not_get(small: Site) -> None:
    room = await small.room("Tea", history="joined")
    old = await small.say(room, "an old secret")
    await small.alice.ask("PATCH", f"/api/rooms/{room}/messages/{old}", json={"body": "the secret, edited"})
    events = (await small.alice.get(f"/api/topics/room:{room}/events", params={"after": old})).json()["events"]
    assert [each["body"] for each in events] == ["the secret, edited"]


async def test_an_owner_who_hands_the_room_over_stops_the_webhook_until_the_new_owner_resumes_it(
    here: Site, there: Receiver
) -> None:
    room = await here.room("Tea")
    hook = await here.webhook(there.url, room)
    await here.alice.ask("PUT", f"/api/rooms/{room}/members/{here.bob.id}")
    role = f"/api/rooms/{room}/members/{here.bob.id}/role"
    assert (await here.alice.ask("PUT", role, json={"role": "owner"})).status_code == 200
    await here.say(room, "not for the former owner's receiver")
    await paused_for_want_of_right(here, hook["id"], here.bob)
    assert there.requests == []
    assert (await here.alice.get(f"/api/webhooks/{hook['id']}")).status_code == 403
    await patch(here.bob, hook["id"], paused=False)
    await eventually(lambda: there.processed, PATIENCE, "the new owner's webhook works")
    await here.say(room, "more")
    await eventually(lambda: len(there.processed) == 2, PATIENCE, "the rest")


@pytest.mark.parametrize("how", ["leave", "disable", "delete"])
async def test_a_webhook_whose_user_is_gone_gets_nothing(small: Site, there: Receiver, how: str) -> None:
    from hubbub.domain.commands import DeleteAccount, SetDisabled
    from hubbub.domain.model import SYSTEM

    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    await small.alice.ask("PUT", f"/api/rooms/{room}/members/{small.bob.id}")
    journal = small.here.services.journal
    if how == "leave":
        await small.alice.ask("PUT", f"/api/rooms/{room}/members/{small.bob.id}/role", json={"role": "owner"})
        assert (await small.alice.post(f"/api/rooms/{room}/leave")).status_code == 200
    elif how == "disable":
        await journal.submit(SetDisabled(user=small.alice.id, disabled=True), SYSTEM)
    else:
        await journal.submit(DeleteAccount(user=small.alice.id, seen_hash=None), SYSTEM)
    await small.say(room, "said afterwards", small.bob)
    await paused_for_want_of_right(small, hook["id"], small.bob)
    assert not [each for each in there.requests if b"afterwards" in each.content]


async def test_a_webhook_of_the_site_ends_with_the_role_of_its_admin(small: Site, there: Receiver) -> None:
    admin = await small.here.program("admin", Role.ADMIN)
    hook = await small.webhook(there.url, None, by=admin)
    with closing(sqlite3.connect(str(small.here.services.database.path), timeout=30)) as database, database:
        database.execute("UPDATE users SET role = 'member' WHERE name = 'admin'")  # as a host application may do
    await small.say(LOBBY, "hello")
    await paused_for_want_of_right(small, hook["id"], small.owner)
    assert there.requests == []


async def test_staff_does_not_manage_webhooks_of_rooms_that_are_hidden_from_them(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    assert (await small.owner.get(f"/api/webhooks/{hook['id']}")).status_code == 404
    assert (await small.owner.get("/api/webhooks", params={"room": room})).status_code == 404
    answer = await small.owner.post("/api/webhooks", json={"room": room, "name": "A", "url": there.url, "events": ALL})
    assert answer.status_code == 404
    listed = (await small.owner.get("/api/webhooks")).json()
    assert listed == {"webhooks": []}


async def test_lists_have_no_secrets_and_a_deleted_webhook_leaves_nothing(here: Site, there: Receiver) -> None:
    room = await here.room("Tea")
    hook = await here.webhook(there.url, room)
    await here.say(room, "hello")
    await eventually(lambda: there.processed, PATIENCE, "the event")
    path = f"/api/webhooks/{hook['id']}"
    for read in (f"/api/webhooks?room={room}", path, f"{path}/deliveries", f"{path}/dead-letters"):
        assert "whsec_" not in (await here.alice.get(read)).text
    assert "whsec_" not in (await here.alice.ask("PATCH", path, json={"name": "Other"})).text
    assert (await here.alice.ask("DELETE", path)).status_code == 204
    assert (await here.alice.get(path)).status_code == 404
    await here.say(room, "after the deletion")
    tables = ("webhooks", "webhook_attempts", "dead_letters")
    await eventually(
        lambda: (
            not here.rows("SELECT 1 FROM followers WHERE name LIKE 'webhook%'")
            and not here.rows("SELECT 1 FROM follower_positions WHERE follower LIKE 'webhook%'")
        ),
        PATIENCE,
        "the follower is removed",
    )
    assert [here.rows(f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)]] * 3
    assert there.bodies == ["hello"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.2:70000/", "port"), ("ftp://example.org/", "https://"), ("example.org", "https://"),
        ("http://10.0.0.1/", "HUBBUB_OUTBOUND_ALLOW"), ("http://user:password@example.org/", "password"),
        ("", "url"), ("http://example.org/" + "x" * 3_000, "url"), ("http://example.org/\nx", "line"),
    ],
)  # fmt: skip
async def test_a_url_that_is_not_allowed_is_refused_with_a_reason(small: Site, url: str, told: str) -> None:
    room = await small.room("Tea")
    fields = {"room": room, "name": "A", "url": url, "events": ALL}
    answer = await small.alice.post("/api/webhooks", json=fields)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    hook = await small.webhook("http://127.0.0.1/", room)
    assert (await small.alice.ask("PATCH", f"/api/webhooks/{hook['id']}", json={"url": url})).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "  "}, {"name": "x" * 65}, {"name": "two\nlines"}, {"events": []},
        {"events": ["status.changed"]}, {"events": ["message.sent"] * 18}, {"events": "message.sent"},
        {"room": 0}, {"key": ""},
    ],
)  # fmt: skip
async def test_a_wrong_field_is_refused(small: Site, there: Receiver, wrong: dict[str, object]) -> None:
    fields = {"room": await small.room("Tea"), "name": "A", "url": there.url, "events": ALL, **wrong}
    assert (await small.alice.post("/api/webhooks", json=fields)).status_code == 400


async def test_an_archived_room_gets_no_new_webhook_and_a_direct_room_none_at_all(small: Site, there: Receiver) -> None:
    room = await small.room("Tea")
    hook = await small.webhook(there.url, room)
    assert (await small.alice.post(f"/api/rooms/{room}/archive")).status_code == 200
    direct = (await post(small.alice, "/api/rooms", kind="direct", members=[small.bob.id]))["room"]["id"]
    for where in (room, direct):
        fields = {"room": where, "name": "A", "url": there.url, "events": ALL}
        assert (await small.alice.post("/api/webhooks", json=fields)).status_code == 403
    await patch(small.alice, hook["id"], paused=True)
    assert (await small.alice.ask("DELETE", f"/api/webhooks/{hook['id']}")).status_code == 204


async def test_the_number_of_webhooks_in_all_has_a_limit(
    small: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_WEBHOOKS", 2)
    rooms = [await small.room(name) for name in ("Tea", "Coffee")]
    made = [await small.webhook(there.url, rooms[0]), await small.webhook(there.url, None)]
    fields = {"name": "A", "url": there.url, "events": ALL}
    for who, room in ((small.alice, rooms[1]), (small.owner, None)):
        assert (await who.post("/api/webhooks", json={"room": room, **fields})).status_code == 409
    assert (await small.owner.ask("DELETE", f"/api/webhooks/{made[1]['id']}")).status_code == 204
    await small.webhook(there.url, rooms[1])
