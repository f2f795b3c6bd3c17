"""Presence and typing: consistent, sent to watchers only, never stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.client import Connection, RefusedError
from tests.support.server import Account, Server
from tests.support.waiting import eventually

SOON = 10.0


async def at(server: Server, account: Account) -> Connection:
    return await Connection.open(server.websocket_url, account.token)


async def hears(connection: Connection, user: int, **facts: object) -> None:
    """Wait until the newest presence received of the user contains these facts."""

    def told() -> bool:
        presences = (each for frame in connection.of_type("presence") for each in frame["presences"])
        found = [each for each in presences if each["user"] == user]
        return bool(found) and {key: found[-1].get(key) for key in facts} == facts

    await eventually(told, SOON, f"the connection receives {facts}")


async def test_watchers_receive_presence_changes_and_others_do_not(server: Server) -> None:
    anna, bert, carl = (server.sign_up(name) for name in ("anna", "bert", "carl"))
    async with await at(server, bert) as looking, await at(server, carl) as not_looking:
        first = await looking.command("presence.watch", users=[anna.id, bert.id])
        assert first == {"presences": [{"user": anna.id, "status": "offline"}, {"user": bert.id, "status": "online"}]}
        async with await at(server, anna) as one, await at(server, anna) as other:
            await hears(looking, anna.id, status="online")
            await one.command("status.set", status="dnd", text="Lunch", emoji="\u2764")
            await hears(looking, anna.id, status="dnd", text="Lunch", emoji="\u2764\ufe0f")
            await eventually(lambda: one.of_type("status.changed"), SOON, "the user's own devices receive the change")
            await eventually(lambda: other.of_type("status.changed"), SOON, "the user's own devices receive the change")
            assert await one.command("status.set", status="dnd", text="Lunch", emoji="\u2764") == {}
            await one.command("status.set")
            await hears(looking, anna.id, status="online", text=None)
            await one.command("presence.idle", idle=True)
            await other.command("presence.idle", idle=True)
            await hears(looking, anna.id, status="away")
        await hears(looking, anna.id, status="offline")
        anna.request("PUT", "/api/users/me/status", json={"text": "On the road"})
        await hears(looking, anna.id, status="offline", text="On the road")
        assert carl.get("/api/presence", user=[anna.id])["presences"][0].get("text") == "On the road"
        anna.request("PUT", "/api/users/me/status", json={})
        await looking.command("presence.watch", users=[])
        async with await at(server, anna):
            seen = len(looking.of_type("presence"))
            assert bert.get("/api/presence", user=[anna.id])["presences"][0]["status"] == "online"
        await looking.ping()
        assert len(looking.of_type("presence")) == seen
        assert not_looking.of_type("presence") == []


async def test_an_invisible_user_is_invisible_everywhere(server: Server) -> None:
    anna, bert = server.sign_up("anna"), server.sign_up("bert")
    async with await at(server, anna) as hidden, await at(server, bert) as looking:
        await hidden.command("status.set", status="invisible", text="hiding")
        answer = await looking.command("presence.watch", users=[anna.id])
        assert answer == {"presences": [{"user": anna.id, "status": "offline"}]}
        assert anna.id not in {each["id"] for each in bert.get("/api/rooms/1/online-members")["users"]}
        await hidden.command("typing", room=1)
        await looking.command("typing", room=1)  # This is a barrier: anna's signal would have come before this answer.
        await hidden.ping()
        assert [frame for frame in looking.of_type("typing") if frame["by"] == anna.id] == []
        again = await at(server, anna)
        assert again.welcome["status"] == {"status": "invisible", "text": "hiding"}
        await again.close()


async def test_typing_reaches_other_members_of_the_room_at_a_limited_rate(server: Server) -> None:
    anna, bert, carl = (server.sign_up(name) for name in ("anna", "bert", "carl"))
    room = anna.create_room(f"Room of {anna.name}")
    bert.join(room)
    async with await at(server, anna) as one, await at(server, bert) as other, await at(server, carl) as stranger:
        for _ in range(5):
            assert await one.command("typing", room=room) == {}
        await other.ping()
        typing = {"type": "typing", "room": room, "by": anna.id, "name": anna.name}
        await eventually(lambda: other.of_type("typing") == [typing], SOON, "bert receives the signal once")
        with pytest.raises(RefusedError, match="not_found"):
            await stranger.command("typing", room=room)
        with pytest.raises(RefusedError, match="not_found"):
            await stranger.command("typing", room=999_999)
        await stranger.ping()
        assert [frame for frame in stranger.of_type("typing") if frame["room"] == room] == []
        assert one.of_type("typing") == []


async def test_typing_in_an_archived_room_is_refused_until_it_is_restored(server: Server) -> None:
    anna, bert = (server.sign_up(name) for name in ("anna", "bert"))
    room = anna.create_room(f"Room of {anna.name}")
    bert.join(room)
    async with await at(server, anna) as one, await at(server, bert) as other:
        await one.command("room.archive", room=room)
        for typist in (one, other):
            with pytest.raises(RefusedError, match="forbidden: This room is archived"):
                await typist.command("typing", room=room)
        async with await at(server, bert) as later:
            with pytest.raises(RefusedError, match="forbidden"):
                await later.command("typing", room=room)
        await one.command("typing", room=1)  # This is a barrier: a signal in the room would have come before.
        await eventually(lambda: other.of_type("typing"), SOON, "bert receives typing in another room")
        assert {frame["room"] for frame in other.of_type("typing")} == {1}
        await one.command("room.restore", room=room)
        assert await one.command("typing", room=room) == {}
        await eventually(
            lambda: other.of_type("typing")[-1]["room"] == room, SOON, "bert receives typing in the restored room"
        )


async def test_status_fields_and_watched_users_are_accepted_up_to_their_limits(server: Server) -> None:
    anna = server.sign_up("anna")
    now = datetime.now(UTC)
    async with await at(server, anna) as one:
        assert len((await one.command("presence.watch", users=list(range(1, 201))))["presences"]) == 200
        await one.command("status.set", text="x" * 100, until=(now + timedelta(days=365)).isoformat())
        wrongs: tuple[dict[str, Any], ...] = (
            {"text": "x" * 101},
            {"text": "two\nlines"},
            {"emoji": "no emoji"},
            {"emoji": "\U0001f44d\U0001f44d"},
            {"status": "offline"},
            {"until": "tomorrow"},
            {"until": "2026-01-01T00:00:00"},
            {"until": (now - timedelta(minutes=1)).isoformat()},
            {"until": (now + timedelta(days=370)).isoformat()},
        )
        for wrong in wrongs:
            with pytest.raises(RefusedError, match="bad_request"):
                await one.command("status.set", **wrong)
        with pytest.raises(RefusedError, match="bad_request"):
            await one.command("presence.watch", users=list(range(1, 202)))
        async with await at(server, anna) as again:
            assert again.welcome["status"]["text"] == "x" * 100
