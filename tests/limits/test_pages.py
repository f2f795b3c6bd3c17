"""Every list comes in pages that end: each thing once, whatever the size of the page, whatever goes meanwhile."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from hubbub.domain.text import MAX_PAGE
from tests.generated.contract import operations, read
from tests.limits.town import Town
from tests.support.client import Connection

Then = Callable[[int], Awaitable[None]]
MANY = 12
NO_PAGES = {
    "list_sessions": "at most 500, the oldest makes room",
    "show_presence": "as many as were asked for, at most 200",
    "show_room": "the first hundred members, with the word that there are more",
    "show_message": "what one message quotes",
    "list_events": "paged by its head, and by 256 KiB",
}
"""Answers with a list that is bounded otherwise."""


@dataclass(frozen=True)
class List:
    """How one goes on from one page to the next: the parameter, and what of the last thing it takes."""

    parameter: str
    of: Callable[[dict[str, Any]], Any]
    backwards: bool = False
    field: str | None = None
    """Where they stand, if not under the name of the list."""


LISTS: dict[str, List] = {
    "list_rooms": List("after", lambda room: room["id"]),
    "list_members": List("after", lambda member: member["id"]),
    "list_online": List("after", lambda person: person["id"], field="users"),
    "list_bans": List("after", lambda ban: ban["user"]),
    "list_edits": List("after", lambda edit: edit["version"]),
    "list_pins": List("before", lambda pin: pin["seq"]),
    "list_reactions": List("after", lambda reaction: reaction["seq"]),
    "list_invites": List("after", lambda invite: f"{invite['created_at']},{invite['id']}"),
    "find_people": List("after", lambda person: person["id"]),
    "list_messages": List("before", lambda message: message["seq"], backwards=True),
}


def parts(schema: dict[str, Any]) -> dict[str, Any]:
    """The fields of an answer that is a model, or several."""
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


def test_every_list_has_pages_or_a_bound_of_its_own() -> None:
    assert with_lists() == LISTS.keys() | NO_PAGES.keys()
    for name, about in LISTS.items():
        method, path = operations()[name]
        given = {each["name"]: each for each in read("openapi.json")["paths"][path][method.lower()]["parameters"]}
        assert about.parameter in given, name
        assert given["limit"]["schema"]["maximum"] == MAX_PAGE, name
        assert "more" in answer_of(name), name


@dataclass
class Place:
    """What there is many of, and how to take one of a kind away."""

    town: Town
    room: int
    message: int

    async def page(self, name: str, parameters: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        """The things of a page, and whether there are more."""
        _, path = operations()[name]
        into = {"room": self.room} if name == "list_invites" else {}
        query = "&".join(f"{key}={value}" for key, value in {**into, **parameters}.items())
        answer = await self.town.get(f"{path.format(room=self.room, message=self.message)}?{query}")
        things = answer[LISTS[name].field or name.partition("_")[2]]
        more = answer["more"]
        return things, more["before"] if isinstance(more, dict) else more

    async def walk(self, name: str, limit: int, after_each: Then | None = None) -> list[str]:
        """All things, page by page to the end, as they were met."""
        about, found, where = LISTS[name], [], dict[str, Any]()
        while True:
            things, more = await self.page(name, {**where, "limit": limit})
            found += [json.dumps(about.of(thing)) for thing in (reversed(things) if about.backwards else things)]
            assert len(things) <= limit
            if not more:
                return found
            assert things, f"{name}: a page without anything says that there is more"
            where = {about.parameter: about.of(things[0] if about.backwards else things[-1])}
            if after_each is not None:
                await after_each(len(found))


@pytest.fixture
async def place(town: Town) -> AsyncIterator[Place]:
    room = await town.room(MANY)
    seqs = await town.say(room, MANY)
    for number, seq in enumerate(seqs):
        await town.do("message.pin", room=room, message=seq)
        await town.do("message.edit", room=room, message=seqs[0], body=f"version {number}")
        await town.do("reaction.add", room=room, message=seqs[0], emoji="🍏🍎🍐🍊🍋🍌🍉🍇🍓🍈🍒🍑"[number])
        await town.do("room.ban", room=room, user=town.people[-1 - number].id)
        await town.asked("POST", "/api/invites", {"room": room})
    async with AsyncExitStack() as stack:
        for person in town.people[1 : MANY + 1]:
            await stack.enter_async_context(await Connection.open(town.server.websocket_url, person.token))
        yield Place(town, room, seqs[0])


async def test_a_walk_over_every_list_meets_each_thing_once_whatever_the_page(place: Place) -> None:
    """By one, by five, and by as many as a page takes."""
    for _ in range(MANY):
        await place.town.room(0)
    for name in LISTS:
        name_of_all = await place.walk(name, MAX_PAGE)
        assert len(set(name_of_all)) == len(name_of_all) >= MANY, name
        for limit in (5, 1) if len(name_of_all) < 40 else (7,):
            assert await place.walk(name, limit) == name_of_all, (name, limit)


async def test_what_is_taken_away_meanwhile_neither_hides_nor_doubles_anything_else(place: Place) -> None:
    """What was met, and what comes next, goes while somebody pages."""
    town, room = place.town, place.room
    for name, kind in (("list_pins", "message.unpin"), ("list_messages", "message.delete")):
        before = await place.walk(name, MAX_PAGE)
        seqs = [message["seq"] for message in reversed((await place.page("list_messages", {}))[0])]

        async def take(met: int, kind: str = kind, seqs: list[int] = seqs) -> None:
            for index in {2: (1, 2), 4: (4, 5)}.get(met, ()):  # met already, and still to come
                await town.do(kind, room=room, message=seqs[index])

        found = await place.walk(name, 2, take)
        gone = [] if kind == "message.delete" else [before[2], before[5]]
        assert found == [thing for thing in before if thing not in gone], name


async def test_a_room_full_of_deleted_messages_is_paged_to_its_beginning(town: Town) -> None:
    """F68 (CVE-2026-45076, Synapse): paging stopped at a page of which nothing was left to show."""
    room = await town.room()
    (first,) = await town.say(room)
    gone = await town.say(room, MAX_PAGE + 5)
    asked = [await town.line.post("message.delete", room=room, message=seq) for seq in gone]
    assert ["ok" in await each for each in asked] == [True] * len(gone)
    place = Place(town, room, first)
    for limit in (MAX_PAGE, 50):
        assert await place.walk("list_messages", limit) == [str(seq) for seq in [*gone[::-1], first]]
    oldest = await town.get(f"/api/rooms/{room}/messages?after=0&limit=1")
    assert (oldest["messages"][0]["seq"], oldest["more"]) == (first, {"before": False, "after": True})


async def test_the_links_after_one_that_was_taken_back_are_not_hidden_by_it(town: Town) -> None:
    room = await town.room()
    for _ in range(5):
        await town.asked("POST", "/api/invites", {"room": room})
    place = Place(town, room, 0)
    listed = [json.loads(name) for name in await place.walk("list_invites", MAX_PAGE)]

    async def revoke(met: int) -> None:
        if met == 2:
            await town.asked("DELETE", f"/api/invites/{listed[1].partition(',')[2]}")

    assert [json.loads(name) for name in await place.walk("list_invites", 2, revoke)] == listed
    for nonsense in ("nonsense", listed[0].partition(",")[2], f"{listed[0].partition(',')[0]},", ",x"):
        with pytest.raises(AssertionError, match="bad_request"):
            await place.page("list_invites", {"after": nonsense})
