"""Fixtures: a whole Hubbub in this process on both databases, with people who search."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from hubbub.domain.model import Role
from hubbub.storage import search_index
from tests.support.waiting import eventually_async
from tests.support.world import Person, World, world_at

PATIENCE = 30.0
keys = count(1)


class Searches:
    """People in rooms, and what they find."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people: dict[str, Person] = {}

    async def person(self, name: str, role: Role = Role.MEMBER) -> Person:
        self.people[name] = await self.world.program(name, role)
        return self.people[name]

    async def room(self, owner: Person, name: str, *members: Person, **fields: Any) -> int:
        answer = await owner.post(
            "/api/rooms", json={"name": name, "kind": "private", "key": f"k{next(keys)}", **fields}
        )
        assert answer.status_code == 201, answer.text
        room: int = answer.json()["room"]["id"]
        for member in members:
            await self.add(owner, room, member)
        return room

    async def add(self, owner: Person, room: int, member: Person) -> None:
        answer = await owner.ask("PUT", f"/api/rooms/{room}/members/{member.id}", json={})
        assert answer.is_success, answer.text

    async def direct(self, owner: Person, *others: Person) -> int:
        fields = {"kind": "direct", "members": [other.id for other in others], "key": f"k{next(keys)}"}
        answer = await owner.post("/api/rooms", json=fields)
        assert answer.is_success, answer.text
        room: int = answer.json()["room"]["id"]
        return room

    async def send(self, author: Person, room: int, body: str) -> int:
        answer = await author.post(f"/api/rooms/{room}/messages", json={"key": f"k{next(keys)}", "body": body})
        assert answer.status_code == 201, answer.text
        seq: int = answer.json()["seq"]
        return seq

    async def do(self, person: Person, method: str, path: str, **fields: Any) -> dict[str, Any]:
        answer = await person.ask(method, path, **({"json": fields} if method != "DELETE" else {}))
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    async def indexed(self) -> None:
        """Wait until the follower has handled all entries, and the index is built."""

        async def done() -> bool:
            progress = await self.world.services.search.progress()
            return progress.complete and await self.world.services.read(behind) == 0

        await eventually_async(done, PATIENCE, "the index has all messages")

    async def pack(self) -> None:
        """Put all recent messages into a block, so that they are found there."""
        await self.world.services.search.rebuild()
        await self.indexed()

    async def search(self, person: Person, q: str, **parameters: Any) -> dict[str, Any]:
        answer = await person.get("/api/search", params={"q": q, **parameters})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def find(self, person: Person, q: str, **parameters: Any) -> list[str]:
        """Return the texts of all results, over all pages."""
        found: list[str] = []
        page: dict[str, Any] = {}
        while not found or page["more"]:
            page = await self.search(person, q, **parameters, **({"before": page["next"]} if page else {}))
            found += [each["message"]["body"] for each in page["results"]]
            if not page["more"]:
                break
        return found


def behind(connection: Any) -> int:
    """Return how many topics of rooms the follower has not handled completely."""
    query = """
        SELECT count(*) FROM topics LEFT JOIN follower_positions p ON p.follower = 'search' AND p.topic = topics.topic
        WHERE topics.topic LIKE 'room:%' AND coalesce(p.seq, 0) < topics.head
    """
    found: int = connection.exec_driver_sql(query.replace("%", "%%")).scalar()
    return found


@pytest.fixture
async def searches(database_url: str, tmp_path: Path) -> AsyncIterator[Searches]:
    async with world_at(tmp_path / "data", database_url=database_url) as world:
        yield Searches(world)


def execute(searches: Searches, *statements: str) -> None:
    """Change the database behind the server's back."""
    engine = create_engine(searches.world.services.database.url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def blocks(searches: Searches) -> int:
    return len(await searches.world.services.read(search_index.heads, 2**63 - 1))
