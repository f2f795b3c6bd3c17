"""The index is built by itself, stays up to date, and is the same however it was made."""

import random
import time
from pathlib import Path

import pytest

from hubbub.domain.search import tokens
from hubbub.engine import search as engine
from hubbub.features import search
from hubbub.features import search_index as handlers
from hubbub.storage import search_index
from hubbub.storage.schema import INDEX
from tests.search.conftest import Searches, blocks, execute
from tests.search.consistency import problems
from tests.support import depth
from tests.support.waiting import eventually_async
from tests.support.world import world_at

PATIENCE = 30.0


async def problems_of(searches: Searches) -> list[str]:
    return await searches.world.services.read(problems)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search_index, handlers):
        monkeypatch.setattr(module, "BLOCK", 16)


async def test_a_new_message_is_found_within_a_second(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.indexed()
    for attempt in range(3):
        await searches.send(anna, room, f"fox{attempt}")
        begin = time.monotonic()
        await eventually_async(lambda: searches.find(anna, f"fox{attempt}"), PATIENCE, "found")  # noqa: B023
        if time.monotonic() - begin <= 1.0:
            return
    raise AssertionError("three messages took more than a second")


@pytest.mark.usefixtures("small_blocks")
async def test_random_changes_leave_exactly_the_tokens_of_the_messages(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    rooms = [await searches.room(anna, f"Room {number}", ben) for number in range(3)]
    there: list[tuple[int, int]] = []
    words = ["fox", "zebra", "@ben", "https://example.com", "東京都", "café", "x1"]
    for number in range(depth.rounds("changes", short=150, long=3_000)):
        body = f"{number} " + " ".join(random.choices(words, k=4))
        chance = random.random()
        if chance < 0.7 or not there:
            room = random.choice(rooms)
            there.append((room, await searches.send(random.choice([anna, ben]), room, body)))
        elif chance < 0.99:
            room, seq = there.pop(random.randrange(len(there)))
            if chance < 0.85:
                await searches.do(anna, "DELETE", f"/api/rooms/{room}/messages/{seq}")
            else:
                answer = await anna.ask("PATCH", f"/api/rooms/{room}/messages/{seq}", json={"body": body})
                assert answer.status_code in (200, 403), answer.text
                there.append((room, seq))
        else:
            await searches.world.services.search.rebuild()
    await searches.indexed()
    assert await blocks(searches) > 2
    assert await problems_of(searches) == []


@pytest.mark.usefixtures("small_blocks")
async def test_a_rebuild_while_people_talk_misses_nothing(searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "REST", 0.0)
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    seqs = [await searches.send(anna, room, f"fox {number}") for number in range(100)]
    await searches.indexed()
    await searches.world.services.search.rebuild()
    incomplete = 0
    for number in range(60):
        await searches.send(anna, room, f"fox new {number}")
        await searches.do(anna, "PATCH", f"/api/rooms/{room}/messages/{seqs[number]}", body=f"fox edited {number}")
        await searches.do(anna, "DELETE", f"/api/rooms/{room}/messages/{seqs[-1 - number % 40]}")
        incomplete += "indexing" in await searches.search(anna, "fox")
    await searches.indexed()
    assert incomplete
    assert await problems_of(searches) == []
    found = await searches.find(anna, "fox", limit=50)
    assert len(found) == 60 + 60
    assert "indexing" not in await searches.search(anna, "fox")


async def test_an_incomplete_index_says_how_far_it_is(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    for number in range(5):
        await searches.send(anna, room, f"fox {number}")
    await searches.indexed()
    execute(searches, "UPDATE search_state SET tokeniser = 0, total = 9")
    page = await searches.search(anna, "fox")
    assert page["results"] == []
    assert page["indexing"] == {"done_count": 0, "total_count": 9}


async def test_another_version_of_the_tokeniser_builds_the_index_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_at(tmp_path / "data", database_url=database_url) as world:
        searches = Searches(world)
        anna = await searches.person("anna")
        room = await searches.room(anna, "Talk")
        await searches.send(anna, room, "fox")
        await searches.indexed()
    for module in (engine, handlers, search):
        monkeypatch.setattr(module, "VERSION", tokens.VERSION + 1)
    async with world_at(tmp_path / "data", database_url=database_url) as world:
        searches = Searches(world)
        anna = await world.token("anna")
        await searches.indexed()
        assert (await world.services.read(search_index.state)).tokeniser == tokens.VERSION + 1
        assert await searches.find(anna, "fox") == ["fox"]
        assert await problems_of(searches) == []


async def test_messages_from_before_the_index_are_found_after_an_upgrade(database_url: str, tmp_path: Path) -> None:
    """A restored backup is the same: its tables of the index are empty, and its followers may be anywhere."""
    async with world_at(tmp_path / "data", database_url=database_url) as world:
        searches = Searches(world)
        anna = await searches.person("anna")
        room = await searches.room(anna, "Talk")
        for number in range(20):
            await searches.send(anna, room, f"fox {number}")
        await searches.indexed()
        execute(searches, *(f"DELETE FROM {table}" for table in INDEX))
        if random.random() < 0.5:
            execute(searches, "DELETE FROM follower_positions")
    async with world_at(tmp_path / "data", database_url=database_url) as world:
        searches = Searches(world)
        anna = await world.token("anna")
        await searches.indexed()
        assert len(await searches.find(anna, "fox")) == 20
        assert await problems_of(searches) == []


async def test_a_send_takes_no_statement_for_the_index(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        searches = Searches(world)
        anna = await searches.person("anna")
        room = await searches.room(anna, "Talk")
        await searches.indexed()
        await world.services.followers.detach("search")
        statements: list[str] = []
        connection = world.services.journal._writer.get().connection.driver_connection
        assert connection is not None
        connection.set_trace_callback(statements.append)
        seq = await searches.send(anna, room, "fox")
        assert any("INSERT INTO messages" in each for each in statements)
        assert not any("search_" in each for each in statements)
        await searches.do(anna, "PATCH", f"/api/rooms/{room}/messages/{seq}", body="zebra")
        assert any("search_" in each for each in statements), "an edit does"
        connection.set_trace_callback(None)
