"""A search that the database ends is a clear error of the request, not of the server."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from hubbub.domain.errors import BadRequest
from hubbub.features import search
from hubbub.features.search import SearchRequest
from tests.search.conftest import Searches
from tests.support.postgres import Postgres
from tests.support.world import world_at

REQUEST = SearchRequest("fox", False, None, 20)


def impatient(connection: Connection, user: int) -> dict[str, Any]:
    connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
    return search.page(connection, user, REQUEST)


@pytest.mark.usefixtures("patient_postgresql")
async def test_a_search_that_takes_too_long_is_a_bad_request(postgres_server: Postgres, tmp_path: Path) -> None:
    address = postgres_server.fresh()
    async with world_at(tmp_path / "data", database_url=address) as world:
        searches = Searches(world)
        anna = await searches.person("anna")
        await searches.indexed()
        engine = create_engine(address, poolclass=NullPool)
        with engine.connect() as other:
            other.execute(text("LOCK TABLE search_blocks IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(BadRequest, match="takes too long"):
                await world.services.read(impatient, anna.id)
            other.rollback()
        assert (await world.services.read(impatient, anna.id))["results"] == []
    postgres_server.drop(address)


async def test_a_page_that_takes_too_long_ends_and_says_where_to_go_on(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    for number in range(60):
        await searches.send(anna, room, f"brown fox {number} quick" if number % 2 else f"quick brown fox {number}")
    await searches.indexed()
    monkeypatch.setattr(search, "SECONDS", 0.0)
    monkeypatch.setattr(search, "ROWS_AT_ONCE", 5)
    assert (await searches.search(anna, '"quick brown"', limit=3))["more"]
    found = await searches.find(anna, '"quick brown"', limit=3)
    assert found == [f"quick brown fox {number}" for number in range(58, -1, -2)]
