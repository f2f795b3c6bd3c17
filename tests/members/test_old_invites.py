"""Invites that ended long ago are deleted, and no others."""

from pathlib import Path

import pytest
from sqlalchemy import text

from hubbub.clock import Clock
from hubbub.domain.commands import CreateInvite, CreateRoom, Prune
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import SYSTEM
from hubbub.engine import housekeeping
from hubbub.storage.schema import invites
from tests.rooms.conftest import World
from tests.support.world import World as RunningWorld
from tests.support.world import world_at

DAY = 86_400_000
Facts = dict[str, dict[str, int | None]]
OLD: Facts = {
    "used up": {"max_uses": 1, "uses": 1, "used_at": 40},
    "expired": {"max_uses": None, "expires_at": 31},
    "expired, half used": {"max_uses": 5, "uses": 2, "used_at": 40, "expires_at": 35},
}
"""Values of columns; columns that end in `_at` are in days before now."""
STAYING: Facts = {
    "used up lately": {"max_uses": 1, "uses": 1, "created_at": 90, "used_at": 29},
    "expired lately": {"max_uses": None, "created_at": 90, "expires_at": 29},
    "half used": {"max_uses": 2, "uses": 1, "created_at": 90, "used_at": 90},
    "for ever": {"max_uses": None, "uses": 70, "created_at": 90, "used_at": 90},
}


async def test_invites_used_up_or_expired_long_ago_are_deleted_in_steps(world: World) -> None:
    now = Clock().now()
    room = await world.room(CreateRoom(kind="private", name="A room"))
    for name, facts in {**OLD, **STAYING}.items():
        await world.do(CreateInvite(token_hash=name, room=room))
        days = {column: now - ago * DAY for column, ago in facts.items() if ago and column.endswith("_at")}
        counts = {column: count for column, count in facts.items() if not column.endswith("_at")}
        with world.store.elsewhere() as other:
            other.execute(invites.update().where(invites.c.token_hash == name).values(**days, **counts))
    command = Prune(what="invites", before=now - 30 * DAY, limit=2)
    with pytest.raises(Forbidden):
        await world.do(command, world.owner)
    assert [(await world.do(command, SYSTEM))["gone"] for _ in range(3)] == [2, 1, 0]
    assert {row[0] for row in world.store.rows("SELECT token_hash FROM invites")} == STAYING.keys()
    await world.do(Prune(what="invites", before=2**52), SYSTEM)
    left = {row[0] for row in world.store.rows("SELECT token_hash FROM invites")}
    assert left == {"half used", "for ever"}, "usable invites stay, whatever the limit in the command"


def count(running: RunningWorld) -> int:
    query = text("SELECT count(*) FROM invites")
    return int(running.services.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_the_server_deletes_invites_a_month_after_their_end(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data") as running:
        anna, bert = await running.program("anna"), await running.program("bert")
        room = (await anna.post("/api/rooms", json={"kind": "private", "name": "A room"})).json()["room"]["id"]
        made = (await anna.post("/api/invites", json={"room": room})).json()
        await anna.post("/api/invites", json={"room": room, "expires_in": None})
        assert (await bert.post("/api/invites/accept", json={"token": made["token"]})).status_code == 200
        running.clock.ahead += 29 * DAY / 1_000
        await housekeeping.prune(running.services)
        assert count(running) == 2
        running.clock.ahead += 2 * DAY / 1_000
        await housekeeping.prune(running.services)
        assert count(running) == 1
