"""Presence while a connection opens and closes."""

import asyncio
from typing import Any

from hubbub.bus.local import LocalBus
from hubbub.clock import Clock
from hubbub.delivery.connections import Blob, Connection
from hubbub.delivery.fanout import Fanout
from hubbub.domain.commands import OpenSession, SendMessage, SetStatus, WatchPresence
from hubbub.domain.disconnects import Disconnect
from hubbub.domain.model import LOBBY, SYSTEM, Actor, Role
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.live_connections import ConnectionHub, _snapshot
from hubbub.features import sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.websocket.frames import FRAMES
from tests.engine.conftest import Store


class NullConnection(Connection):
    """A connection that discards everything."""

    __hash__ = object.__hash__

    format = FRAMES

    def write(self, blob: Blob) -> None: ...

    def buffered(self) -> int:
        return 0

    def cork(self) -> None: ...

    def uncork(self, first: Blob) -> None: ...

    def end(self, why: Disconnect, retry_after: float | None = None) -> None: ...


async def identity_of(store: Store, person: Actor) -> AuthenticatedUser:
    command = OpenSession(
        user=person.id, session=f"s{person.id}", browser=False, token_hash=None, client="", idle=10**9, longest=10**9,
        seen_hash="-",
    )  # fmt: skip
    await store.journal.submit(command, SYSTEM)
    return AuthenticatedUser(person.id, person.name, Role.MEMBER, f"s{person.id}")


async def test_an_invisible_user_stays_invisible_during_the_greeting(store: Store) -> None:
    """A message between snapshot and subscription makes a gap to read meanwhile."""
    anna, bert = await store.person("anna"), await store.person("bert")
    await store.journal.submit(SetStatus(status="invisible"), bert)
    seen: list[dict[int, str]] = []

    async def read(query: Any, *args: Any, **kwargs: Any) -> Any:
        found = await asyncio.to_thread(store.database.read, query, *args, **kwargs)
        if query is sync.gap:
            seen.append(people.online_in(LOBBY))
        else:
            before = len(store.published)
            await store.journal.submit(SendMessage(room=LOBBY, key=f"k{before}", body="hello"), anna)
            people.receive(store.published[before:])
        return found

    people = ConnectionHub(Fanout(), LocalBus(), read, Clock(), connections_per_user=5)
    await people.attach(NullConnection(), await identity_of(store, bert))
    assert seen, "the connection read a gap"
    await people.attach(NullConnection(), await identity_of(store, anna))
    assert seen[0] == {}
    assert list(people.online_in(LOBBY)) == [anna.id]


async def test_a_connection_that_ended_meanwhile_watches_no_presence(store: Store) -> None:
    bert = await store.person("bert")
    held = asyncio.Event()

    async def read(query: Any, *args: Any, **kwargs: Any) -> Any:
        if query is not _snapshot:
            await held.wait()
        return await asyncio.to_thread(store.database.read, query, *args, **kwargs)

    registry = Fanout()
    people = ConnectionHub(registry, LocalBus(), read, Clock(), connections_per_user=5)
    signals = Ephemeral(registry, people, read, Clock())
    connection = NullConnection()
    live = (await people.attach(connection, await identity_of(store, bert))).live
    asking = asyncio.ensure_future(signals.handle(live, WatchPresence(users=(7, 8, 9))))
    await asyncio.sleep(0)  # The query has started.
    people.detach(connection)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await signals.handle(live, WatchPresence(users=(7, 8, 9))) == {"presences": []}
    assert people.presences.news() == {}
    assert len(people.presences) == 1, "only the user who has just gone offline"
    signals.stop()
