"""Edits and deletions leave the index in their own transaction."""

import pytest

from hubbub.domain.commands import DeleteAccount
from hubbub.domain.model import SYSTEM
from tests.search.conftest import Searches


@pytest.fixture(params=["recent", "block"])
def where(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def stored(searches: Searches, word: str) -> bool:
    """Return whether the tables of the index contain a word."""
    database = searches.world.services.database
    with database.reader.connect() as connection:
        for table in ("search_recent", "search_chunks", "search_blocks"):
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):
                if any(
                    word.encode() in (bytes(cell) if not isinstance(cell, int | str) else str(cell).encode())
                    for cell in row
                ):
                    return True
    return False


async def test_an_edited_message_is_found_by_its_new_text_alone(searches: Searches, where: str) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.send(anna, room, "another fox")
    seq = await searches.send(anna, room, "quick zebra")
    await searches.indexed()
    if where == "block":
        await searches.pack()
    assert stored(searches, "zebra")
    await searches.do(anna, "PATCH", f"/api/rooms/{room}/messages/{seq}", body="slow giraffe")
    assert await searches.find(anna, "zebra") == []
    assert await searches.find(anna, "quick") == []
    assert await searches.find(anna, "giraffe") == ["slow giraffe"], "at once"
    assert await searches.find(anna, "from:anna") == ["slow giraffe", "another fox"], "in its place"
    assert not stored(searches, "zebra")
    await searches.pack()
    assert await searches.find(anna, "from:anna") == ["slow giraffe", "another fox"]


async def test_a_deleted_message_is_not_found_and_leaves_nothing(searches: Searches, where: str) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    seq = await searches.send(anna, room, "quick zebra fox")
    await searches.send(anna, room, "another fox")
    await searches.indexed()
    if where == "block":
        await searches.pack()
    assert stored(searches, "zebra")
    await searches.do(anna, "DELETE", f"/api/rooms/{room}/messages/{seq}")
    assert not stored(searches, "zebra")
    assert await searches.find(anna, "fox") == ["another fox"]


async def test_a_change_before_the_message_is_indexed_counts(searches: Searches) -> None:
    """The follower is behind, or has already read the text when it changes."""
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.indexed()
    edited = await searches.send(anna, room, "quick zebra")
    deleted = await searches.send(anna, room, "quick panther")
    await searches.do(anna, "PATCH", f"/api/rooms/{room}/messages/{edited}", body="slow giraffe")
    await searches.do(anna, "DELETE", f"/api/rooms/{room}/messages/{deleted}")
    await searches.indexed()
    assert await searches.find(anna, "giraffe") == ["slow giraffe"]
    assert await searches.find(anna, "quick") == []
    assert not stored(searches, "zebra")
    assert not stored(searches, "panther")


async def test_messages_of_a_deleted_account_stay_searchable(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    room = await searches.room(anna, "Talk", ben)
    await searches.send(ben, room, "fox of ben")
    await searches.indexed()
    await searches.world.services.journal.submit(DeleteAccount(user=ben.id), SYSTEM)
    assert await searches.find(anna, "fox") == ["fox of ben"]
    assert await searches.find(anna, "from:ben") == []
