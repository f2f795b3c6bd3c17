"""A search finds only what the reader may read at that moment."""

from tests.search.conftest import Searches, blocks


async def test_only_rooms_of_the_reader_are_searched(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    shared = await searches.room(anna, "Shared", ben)
    public = await searches.room(anna, "Public", kind="public")
    hidden = await searches.room(anna, "Hidden")
    for room, body in ((shared, "fox shared"), (public, "fox public"), (hidden, "fox hidden")):
        await searches.send(anna, room, body)
    await searches.indexed()
    assert await searches.find(anna, "fox") == ["fox hidden", "fox public", "fox shared"]
    assert await searches.find(ben, "fox") == ["fox shared"]
    assert await searches.find(ben, "fox in:Hidden") == await searches.find(ben, "fox in:absent") == []
    there, absent = [(await searches.search(ben, f"in:{room}"))["query"]["filters"][0] for room in (hidden, 999)]
    assert (there["known"], absent["known"]) == (False, False), "a hidden room looks like one that does not exist"


async def test_a_member_who_leaves_or_is_removed_finds_nothing_any_more(searches: Searches) -> None:
    anna, ben, eve = [await searches.person(name) for name in ("anna", "ben", "eve")]
    room = await searches.room(anna, "Talk", ben, eve)
    await searches.send(anna, room, "fox")
    await searches.indexed()
    await searches.do(ben, "POST", f"/api/rooms/{room}/leave")
    await searches.do(anna, "DELETE", f"/api/rooms/{room}/members/{eve.id}")
    assert await searches.find(ben, "fox") == await searches.find(eve, "fox") == []
    await searches.add(anna, room, ben)
    assert await searches.find(ben, "fox") == ["fox"]


async def test_messages_from_before_the_visible_history_are_not_found(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    room = await searches.room(anna, "Talk", history="joined")
    early = await searches.send(anna, room, "fox early")
    await searches.send(anna, room, "fox also early https://example.com")
    await searches.do(anna, "PUT", f"/api/rooms/{room}/pins/{early}")
    await searches.add(anna, room, ben)
    await searches.send(anna, room, "fox late")
    await searches.indexed()
    for _ in range(2):
        assert await searches.find(ben, "fox") == ["fox late"]
        assert await searches.find(ben, "is:pinned") == await searches.find(ben, "has:link") == []
        assert await searches.find(ben, "from:anna") == ["fox late"]
        assert len(await searches.find(anna, "fox")) == 3
        await searches.pack()
    await searches.do(anna, "PATCH", f"/api/rooms/{room}", history="all")
    assert len(await searches.find(ben, "fox")) == 3


async def test_archived_rooms_are_searched(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.send(anna, room, "fox")
    await searches.do(anna, "POST", f"/api/rooms/{room}/archive")
    await searches.indexed()
    assert await searches.find(anna, "fox") == ["fox"]


async def test_pages_over_deleted_and_hidden_messages_reach_the_end(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    room = await searches.room(anna, "Talk", ben)
    hidden = await searches.room(anna, "Hidden")
    first = [await searches.send(anna, room, f"fox {number}") for number in range(3)]
    gone = []
    for number in range(1_100):
        if number % 2:
            await searches.send(anna, hidden, "fox hidden")
        else:
            gone.append(await searches.send(anna, room, "fox gone"))
    await searches.indexed()
    await searches.pack()
    assert await blocks(searches) == 1
    for seq in gone:
        await searches.do(anna, "DELETE", f"/api/rooms/{room}/messages/{seq}")
    await searches.send(anna, room, "fox last")
    await searches.indexed()
    assert len(first) == 3
    assert await searches.find(ben, "fox", limit=2) == ["fox last", "fox 2", "fox 1", "fox 0"]
    assert len(await searches.find(anna, "fox", limit=50)) == 4 + 550


async def test_each_page_goes_on_where_the_last_one_ended(searches: Searches) -> None:
    anna = await searches.person("anna")
    rooms = [await searches.room(anna, f"Room {number}") for number in range(3)]
    for number in range(30):
        await searches.send(anna, rooms[number % 3], f"fox {number}")
    await searches.indexed()
    for where in range(2):
        for limit in (1, 7, 30, 50):
            assert await searches.find(anna, "fox", limit=limit) == [f"fox {29 - number}" for number in range(30)], (
                where
            )
        await searches.pack()
    exact = await searches.search(anna, "fox", limit=30)
    assert not exact["more"]
    assert "next" not in exact
    answer = await anna.get("/api/search", params={"q": "fox", "before": "x"})
    assert answer.status_code == 400
