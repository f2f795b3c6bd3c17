"""Every list has pages that end and show each item once.

This holds for any page size and for concurrent changes.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from hubbub.domain.text import MAX_PAGE
from tests.generated.contract import operations, read
from tests.limits.world import World
from tests.support.client import Connection

Then = Callable[[int], Awaitable[None]]
MANY = 12
NO_PAGES = {
    "list_sessions": "at most 500; a new session ends the oldest",
    "show_presence": "as many as were requested, at most 200",
    "show_room": "the first hundred members, and whether there are more",
    "search_messages": "its pages have their key in `next`: tests/search/test_rights.py",
    "show_message": "the quotes of one message",
    "list_followers": "has pages; for staff alone, so tests/followers/test_staff.py walks them",
    "list_settings": "as many as there are settings",
    "list_webhooks": "at most 10 of a room, and 20 of the site",
    "show_webhook": "the types of events that it gets",
    "list_webhook_deliveries": "the last 50",
    "list_webhook_dead_letters": "has pages; there are some only after failures: tests/webhooks/test_retries.py",
    "list_dead_letters": "has pages; for staff alone, so tests/followers/test_staff.py walks them",
}
"""Answers with a list that is bounded in another way."""


@dataclass(frozen=True)
class List:
    """How a list is paged: a parameter, and the item's property that it takes."""

    parameter: str
    of: Callable[[dict[str, Any]], Any]
    backwards: bool = False
    field: str | None = None
    """The field that holds the items, if it does not have the name of the list."""


LISTS: dict[str, List] = {
    "list_rooms": List("after", lambda room: room["id"]),
    "list_members": List("after", lambda member: member["id"]),
    "list_online": List("after", lambda person: person["id"], field="users"),
    "list_bans": List("after", lambda ban: ban["user"]),
    "list_edits": List("after", lambda edit: edit["version"]),
    "list_pins": List("before", lambda pin: pin["seq"]),
    "list_reactions": List("after", lambda reaction: reaction["seq"]),
    "list_invites": List("before", lambda invite: f"{invite['created_at']},{invite['id']}"),
    "list_users": List("after", lambda person: person["id"]),
    "list_events": List("after", lambda event: event["seq"]),
    "list_messages": List("before", lambda message: message["seq"], backwards=True),
}


def parts(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an answer that is one model or a union of models."""
    components = read("openapi.json")["components"]["schemas"]
    models = [schema, *schema.get("anyOf", ())]
    named = [components[each["$ref"].rpartition("/")[2]] for each in models if "$ref" in each]
    return {name: field for model in named for name, field in model.get("properties", {}).items()}


def answer_of(operation: str) -> dict[str, Any]:
    method, path = operations()[operation]
    content = read("openapi.json")["paths"][path][method.lower()]["responses"].get("200", {}).get("content", {})
    return parts(content.get("application/json", {}).get("schema", {}))


def with_lists() -> set[str]:
    reading = (name for name, (method, _) in operations().items() if method == "GET")
    return {name for name in reading if any(field.get("type") == "array" for field in answer_of(name).values())}


def test_every_list_has_pages_or_another_bound() -> None:
    assert with_lists() == LISTS.keys() | NO_PAGES.keys()
    for name, about in LISTS.items():
        method, path = operations()[name]
        given = {each["name"]: each for each in read("openapi.json")["paths"][path][method.lower()]["parameters"]}
        assert about.parameter in given, name
        assert given["limit"]["schema"]["maximum"] == MAX_PAGE, name
        described = given[about.parameter]["description"]
        assert name == "list_messages" or "of the last entry of the previous page" in described, name
        assert "more" in answer_of(name), name


@dataclass
class FullRoom:
    """A room with many items of each kind."""

    world: World
    room: int
    message: int

    async def page(self, name: str, parameters: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        """Return the items of a page, and whether there are more."""
        _, path = operations()[name]
        into = {"list_invites": {"room": self.room}, "list_events": {"after": 0}}.get(name, {})
        topic = f"user:{self.world.people[0].id}"
        query = "&".join(f"{key}={value}" for key, value in {**into, **parameters}.items())
        answer = await self.world.get(f"{path.format(room=self.room, message=self.message, topic=topic)}?{query}")
        things = answer[LISTS[name].field or name.partition("_")[2]]
        more = answer["more"]
        return things, more["before"] if isinstance(more, dict) else more

    async def walk(self, name: str, limit: int, after_each: Then | None = None) -> list[str]:
        """Return all items, page by page to the end, in the order received."""
        about, found, where = LISTS[name], [], dict[str, Any]()
        while True:
            things, more = await self.page(name, {**where, "limit": limit})
            found += [json.dumps(about.of(thing)) for thing in (reversed(things) if about.backwards else things)]
            assert len(things) <= limit
            if not more:
                return found
            assert things, f"{name}: an empty page says that there are more"
            where = {about.parameter: about.of(things[0] if about.backwards else things[-1])}
            if after_each is not None:
                await after_each(len(found))


@pytest.fixture
async def full(world: World) -> AsyncIterator[FullRoom]:
    room = await world.room(MANY)
    seqs = await world.say(room, MANY)
    for number, seq in enumerate(seqs):
        await world.do("message.pin", room=room, message=seq)
        await world.do("message.edit", room=room, message=seqs[0], body=f"version {number}")
        await world.do("reaction.add", room=room, message=seqs[0], emoji="🍏🍎🍐🍊🍋🍌🍉🍇🍓🍈🍒🍑"[number])
        await world.do("member.ban", room=room, user=world.people[-1 - number].id)
        await world.asked("POST", "/api/invites", {"room": room})
    async with AsyncExitStack() as stack:
        for person in world.people[1 : MANY + 1]:
            await stack.enter_async_context(await Connection.open(world.server.websocket_url, person.token))
        yield FullRoom(world, room, seqs[0])


async def test_paging_through_every_list_returns_each_item_once_for_any_page_size(full: FullRoom) -> None:
    """Page sizes of one, of five, and of the maximum."""
    for _ in range(MANY):
        await full.world.room(0)
    for name in LISTS:
        name_of_all = await full.walk(name, MAX_PAGE)
        assert len(set(name_of_all)) == len(name_of_all) >= MANY, name
        for limit in (5, 1) if len(name_of_all) < 40 else (7,):
            assert await full.walk(name, limit) == name_of_all, (name, limit)


async def test_items_removed_while_paging_neither_hide_nor_repeat_others(full: FullRoom) -> None:
    """Remove an item that was returned already, and one still to come."""
    world, room = full.world, full.room
    for name, kind in (("list_pins", "message.unpin"), ("list_messages", "message.delete")):
        before = await full.walk(name, MAX_PAGE)
        seqs = [message["seq"] for message in reversed((await full.page("list_messages", {}))[0])]

        async def take(met: int, kind: str = kind, seqs: list[int] = seqs) -> None:
            # The first was returned already, and the second is still to come.
            for index in {2: (1, 2), 4: (4, 5)}.get(met, ()):
                await world.do(kind, room=room, message=seqs[index])

        found = await full.walk(name, 2, take)
        gone = [] if kind == "message.delete" else [before[2], before[5]]
        assert found == [thing for thing in before if thing not in gone], name


async def test_a_room_full_of_deleted_messages_is_paged_to_its_beginning(world: World) -> None:
    """CVE-2026-45076 (Synapse): paging stopped at a page without visible messages."""
    room = await world.room()
    (first,) = await world.say(room)
    gone = await world.say(room, MAX_PAGE + 5)
    asked = [await world.connection.post("message.delete", room=room, message=seq) for seq in gone]
    assert ["ok" in await each for each in asked] == [True] * len(gone)
    full = FullRoom(world, room, first)
    for limit in (MAX_PAGE, 50):
        assert await full.walk("list_messages", limit) == [str(seq) for seq in [*gone[::-1], first]]
    oldest = await world.get(f"/api/rooms/{room}/messages?after=0&limit=1")
    assert (oldest["messages"][0]["seq"], oldest["more"]) == (first, {"before": False, "after": True})


async def test_revoking_an_invite_while_paging_hides_no_other_invite(world: World) -> None:
    room = await world.room()
    for _ in range(5):
        await world.asked("POST", "/api/invites", {"room": room})
    full = FullRoom(world, room, 0)
    listed = [json.loads(name) for name in await full.walk("list_invites", MAX_PAGE)]

    async def revoke(met: int) -> None:
        if met == 2:
            await world.asked("DELETE", f"/api/invites/{listed[1].partition(',')[2]}")

    assert [json.loads(name) for name in await full.walk("list_invites", 2, revoke)] == listed
    for nonsense in ("nonsense", listed[0].partition(",")[2], f"{listed[0].partition(',')[0]},", ",x"):
        with pytest.raises(AssertionError, match="bad_request"):
            await full.page("list_invites", {"before": nonsense})
