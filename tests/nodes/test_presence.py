"""Presence, typing and `@here` over several nodes, as if all users were connected to one."""

import asyncio
import time
from typing import Any

import pytest

from tests.nodes.conftest import MakeSite, Site
from tests.support.client import Connection
from tests.support.server import Account
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

SOON = 20.0


class Scene:
    """A site with a user on each node; the first one owns a room, of which all are members."""

    def __init__(self, site: Site, users: list[Account], room: int) -> None:
        self.site, self.users, self.room = site, users, room

    @classmethod
    async def start(cls, make_site: MakeSite, count: int = 2, **breaks: str) -> "Scene":
        site = await asyncio.to_thread(make_site, count, **breaks)
        users = [await asyncio.to_thread(node.sign_up, f"user{number}") for number, node in enumerate(site.nodes)]
        room = await asyncio.to_thread(users[0].create_room, "Room")
        for user in users[1:]:
            await asyncio.to_thread(user.join, room)
        return cls(site, users, room)

    async def connect(self, user: int, node: int | None = None) -> Connection:
        account = self.users[user] if node is None else self.site.there(self.users[user], node)
        return await Connection.open(account.server.websocket_url, account.token)

    async def online(self, node: int) -> set[int]:
        """Return the online members of the room, as a node lists them."""
        asking = self.site.there(self.users[0], node)
        page = await asyncio.to_thread(asking.get, f"/api/rooms/{self.room}/online-members", limit=1)
        found = [each["id"] for each in page["users"]]
        while page["more"]:
            page = await asyncio.to_thread(
                asking.get, f"/api/rooms/{self.room}/online-members", limit=1, after=found[-1]
            )
            found += [each["id"] for each in page["users"]]
        assert found == sorted(set(found))
        return set(found)

    async def mentioned(self, author: Connection, key: str) -> dict[str, Any]:
        """Send `@here` and return the mentions of the message."""
        sent = await author.command("message.send", room=self.room, key=key, body="@here")
        event = await eventually(
            lambda: next((each for each in author.of_type("message.sent") if each["seq"] == sent["seq"]), None),
            SOON,
            "the author gets the message",
        )
        assert event is not None
        found: dict[str, Any] = event["mentions"]
        return found


def told(connection: Connection, user: int) -> str | None:
    """Return the newest status of the user that the connection was told."""
    found = [each for frame in connection.of_type("presence") for each in frame["presences"] if each["user"] == user]
    return found[-1]["status"] if found else None


async def hears(connection: Connection, user: int, status: str, within: float = SOON) -> None:
    await eventually(lambda: told(connection, user) == status, within, f"the connection hears {status}")


async def test_a_user_is_shown_on_another_node_as_on_their_own(make_site: MakeSite) -> None:
    scene = await Scene.start(make_site)
    anna, bert = scene.users
    async with await scene.connect(1) as watcher:
        first = await watcher.command("presence.watch", users=[anna.id])
        assert first["presences"][0]["status"] == "offline"
        phone, desk = await scene.connect(0), await scene.connect(0, node=1)
        await hears(watcher, anna.id, "online")
        await phone.command("presence.idle", idle=True)
        await desk.command("presence.idle", idle=True)
        await hears(watcher, anna.id, "away")
        await phone.command("presence.idle", idle=False)
        await hears(watcher, anna.id, "online")
        await desk.close()
        await phone.command("status.set", status="dnd", text="Lunch")
        await hears(watcher, anna.id, "dnd")
        shown = await asyncio.to_thread(bert.get, "/api/presence", user=[anna.id])
        assert shown["presences"] == [{"user": anna.id, "status": "dnd", "text": "Lunch"}]
        await phone.command("status.set", status="invisible")
        await hears(watcher, anna.id, "offline")
        await phone.command("status.set")
        await hears(watcher, anna.id, "online")
        await phone.close()
        await hears(watcher, anna.id, "offline")
        answer = await asyncio.to_thread(anna.request, "PUT", "/api/users/me/status", json={"text": "On the road"})
        assert answer.status_code == 200
        await eventually(
            lambda: watcher.of_type("presence")[-1]["presences"][0].get("text") == "On the road",
            SOON,
            "the text of a user who is offline arrives",
        )


@pytest.mark.parametrize("kind", ["nats"])  # the PostgreSQL bus is back before anything can be set
async def test_a_watcher_learns_of_a_status_that_an_offline_user_set_while_the_bus_was_away(
    make_site: MakeSite, kind: str
) -> None:
    scene = await Scene.start(make_site)
    anna = scene.users[0]
    async with await scene.connect(1) as watcher:
        await watcher.command("presence.watch", users=[anna.id])
        scene.site.interrupt()
        await eventually(
            lambda: not any(node.metrics()["hubbub_bus_connected"] for node in scene.site.nodes),
            SOON,
            "the bus is away",
        )
        answer = await asyncio.to_thread(anna.request, "PUT", "/api/users/me/status", json={"text": "On the road"})
        assert answer.status_code == 200
        assert told(watcher, anna.id) is None, "the control: nothing came without the bus"
        await asyncio.to_thread(scene.site.resume)
        await hears(watcher, anna.id, "offline", 3 * SOON)
        assert watcher.of_type("presence")[-1]["presences"][0]["text"] == "On the road"


async def test_typing_reaches_the_members_on_other_nodes_alone(make_site: MakeSite) -> None:
    scene = await Scene.start(make_site)
    anna, bert = scene.users
    stranger = await asyncio.to_thread(scene.site.nodes[1].sign_up, "stranger")
    async with (
        await scene.connect(0) as typist,
        await scene.connect(1) as member,
        await Connection.open(stranger.server.websocket_url, stranger.token) as other,
    ):
        await repeat(lambda: typist.command("typing", room=scene.room), lambda: bool(member.of_type("typing")))
        frame = {"type": "typing", "room": scene.room, "by": anna.id, "name": anna.name}
        assert all(each == frame for each in member.of_type("typing"))
        await typist.command("status.set", status="invisible")
        await eventually(lambda: bert.id and typist.of_type("status.changed"), SOON, "the status is set")
        seen = len(member.of_type("typing"))
        await asyncio.sleep(2.1)  # the pace of typing: the next one would be announced
        await typist.command("typing", room=scene.room)
        await typist.command("status.set")
        await repeat(lambda: typist.command("typing", room=scene.room), lambda: len(member.of_type("typing")) > seen)
        assert len(member.of_type("typing")) == seen + 1, "the one while invisible was not announced"
        await typist.command("message.send", room=scene.room, key="k", body="done")
        await eventually(lambda: member.of_type("message.sent"), SOON, "the message arrives")
        await other.ping()
        assert other.of_type("typing") == []


async def repeat(action: Any, condition: Any) -> None:
    """Repeat what may be lost until it had its effect."""

    async def tried() -> bool:
        await action()
        return bool(condition())

    await eventually_async(tried, SOON, "the signal arrives", every=0.3)


async def test_here_mentions_the_members_who_are_connected_to_any_node(make_site: MakeSite) -> None:
    scene = await Scene.start(make_site)
    _, bert = scene.users
    hidden = await asyncio.to_thread(scene.site.nodes[1].sign_up, "hidden")
    stranger = await asyncio.to_thread(scene.site.nodes[1].sign_up, "stranger")
    await asyncio.to_thread(hidden.join, scene.room)
    watched = [each.id for each in (bert, hidden, stranger)]
    async with (
        await scene.connect(0) as author,
        await scene.connect(1),
        await Connection.open(hidden.server.websocket_url, hidden.token) as hiding,
        await Connection.open(stranger.server.websocket_url, stranger.token),
    ):
        await author.command("presence.watch", users=watched)
        for user in watched:
            await shown(author, user, "online")
        await hiding.command("status.set", status="invisible")
        await shown(author, hidden.id, "offline")
        assert await scene.mentioned(author, "first") == {"users": [bert.id], "room": False, "here": True}
        assert await scene.online(0) == await scene.online(1) == {each.id for each in scene.users}
        await hiding.command("status.set")
        await shown(author, hidden.id, "online")
        assert set((await scene.mentioned(author, "second"))["users"]) == {bert.id, hidden.id}


async def shown(connection: Connection, user: int, status: str) -> None:
    """Wait until the user is shown so to a watcher who asks."""

    async def asked() -> bool:
        answer = await connection.command("presence.watch", users=[user])
        return bool(answer["presences"][0]["status"] == status)

    await eventually_async(asked, SOON, f"the user is {status}")


async def test_control_without_signals_a_user_of_another_node_is_offline(make_site: MakeSite) -> None:
    scene = await Scene.start(make_site, broken="mute")
    async with await scene.connect(0) as author, await scene.connect(1) as other:
        await author.command("presence.watch", users=[scene.users[1].id])
        await other.command("message.send", room=scene.room, key="k", body="hello")
        await eventually(lambda: author.of_type("message.sent"), SOON, "messages arrive")
        with pytest.raises(AssertionError, match="the connection hears online"):
            await hears(author, scene.users[1].id, "online", 3.0)
        assert (await scene.mentioned(author, "key"))["users"] == []


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_the_users_of_a_node_that_ends_are_offline_within_45_seconds(make_site: MakeSite, end: str) -> None:
    scene = await Scene.start(make_site)
    anna, bert = scene.users
    watcher, gone = await scene.connect(0), await scene.connect(1)
    await watcher.command("presence.watch", users=[anna.id, bert.id])
    await shown(watcher, bert.id, "online")
    await watcher.command("presence.watch", users=[anna.id, bert.id])
    began = time.monotonic()
    await asyncio.to_thread(getattr(scene.site.nodes[1], end))
    await hears(watcher, bert.id, "offline", 45.0)
    if end == "stop":
        assert time.monotonic() - began < 20, "a node that stops says so"
    assert await scene.online(0) == {anna.id}
    await gone.abort()
    async with await scene.connect(1, node=0):
        await hears(watcher, bert.id, "online")
    await watcher.close()


async def test_a_node_that_starts_later_shows_the_users_of_the_others(make_site: MakeSite) -> None:
    scene = await Scene.start(make_site)
    async with await scene.connect(0), await scene.connect(1) as watcher:
        await shown(watcher, scene.users[0].id, "online")
        await watcher.close()
        await asyncio.to_thread(scene.site.nodes[1].stop)
        await asyncio.to_thread(scene.site.nodes[1].start)
        again = await scene.connect(1)
        await shown(again, scene.users[0].id, "online")
        await again.close()
