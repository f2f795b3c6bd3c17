"""A site with users, rooms and webhooks, in this process."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hubbub.domain.model import Role
from tests.support.world import Person, World, world_at

PATIENCE = 60.0
ALL = ["message.sent", "message.edited", "message.deleted"]
LOCAL = {"outbound_allow": "127.0.0.0/8", "outbound_ports": "1-65535"}
keys = itertools.count()


class Site:
    """A place with an owner of the site, alice (who owns rooms) and bob."""

    def __init__(self, here: World, owner: Person, alice: Person, bob: Person) -> None:
        self.here, self.owner, self.alice, self.bob = here, owner, alice, bob

    @property
    def clock(self) -> Any:
        return self.here.clock

    async def room(self, name: str, kind: str = "private", by: Person | None = None, **more: Any) -> int:
        return int((await post(by or self.alice, "/api/rooms", kind=kind, name=name, **more))["room"]["id"])

    async def say(self, room: int, body: str, by: Person | None = None) -> int:
        answer = await post(by or self.alice, f"/api/rooms/{room}/messages", key=f"key {next(keys)}", body=body)
        return int(answer["seq"])

    async def webhook(self, url: str, room: int | None, by: Person | None = None, **more: Any) -> dict[str, Any]:
        """Create a webhook by alice, or the site's owner for the whole site."""
        who = by or (self.owner if room is None else self.alice)
        fields = {"room": room, "name": "Receiver", "url": url, "events": ALL, **more}
        return await post(who, "/api/webhooks", **fields)

    async def show(self, webhook: int, by: Person | None = None) -> dict[str, Any]:
        answer = await (by or self.owner).get(f"/api/webhooks/{webhook}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        from sqlalchemy import text

        found = self.here.services.database.read(lambda connection: connection.execute(text(query)).all())
        return [tuple(row) for row in found]


async def post(who: Person, path: str, **fields: Any) -> dict[str, Any]:
    """Send a request that must succeed."""
    answer = await who.post(path, json=fields)
    assert answer.status_code in (200, 201, 204), answer.text
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


async def patch(who: Person, webhook: int, **fields: Any) -> dict[str, Any]:
    answer = await who.ask("PATCH", f"/api/webhooks/{webhook}", json=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def site(data: Path, url: str | None = None, **settings: Any) -> AsyncIterator[Site]:
    """Start a site with webhooks that may use this machine, and followers that compare often."""
    more = {} if url is None else {"database_url": url}
    async with world_at(data, **LOCAL, **more, **settings) as here:
        here.services.followers._interval = 0.1
        here.services.followers._renewal = 0.1  # a clock that jumps ends the lease on PostgreSQL for a moment
        here.services.webhooks._interval = 0.1
        owner = await here.program("owner", Role.OWNER)
        yield Site(here, owner, await here.program("alice"), await here.program("bob"))
