"""Entries that reach a node late, twice or never are delivered in order, once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest

from hubbub.bus.local import LocalBus
from hubbub.clock import Clock
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.order import Order
from hubbub.domain.commands import SendMessage
from hubbub.domain.errors import Unavailable
from hubbub.domain.events import Entry
from hubbub.domain.model import LOBBY, room_topic
from hubbub.engine import ordered_entries
from hubbub.engine.live_connections import ConnectionHub
from hubbub.storage import log
from tests.engine.conftest import Store
from tests.manager.listener import Listener
from tests.presence.test_greeting import identity_of
from tests.support.waiting import eventually

TOPIC = room_topic(LOBBY)


async def _reader(store: Store, read: Callable[..., Awaitable[Any]]) -> tuple[ConnectionHub, Listener]:
    fanout, listener = Fanout(), Listener()
    hub = ConnectionHub(fanout, LocalBus(), read, Clock(), connections_per_user=5)
    fanout.add(listener)
    fanout.join(listener, TOPIC)
    return hub, listener


async def _sent(store: Store, count: int) -> list[Entry]:
    """Return the entries of `count` messages in the lobby."""
    anna = await store.person("anna")
    before = len(store.published)
    for number in range(count):
        await store.journal.submit(SendMessage(room=LOBBY, key=f"k{number}", body=f"message {number}"), anna)
    return [entry for entry in store.published[before:] if entry.topic == TOPIC]


def _seqs(listener: Listener) -> list[int]:
    return [orjson.loads(text)["seq"] for text in listener.got]


@pytest.mark.parametrize(
    "arriving",
    [(0, 1, 2, 3, 4, 5), (0, 5), (0, 3, 2, 1, 4, 5), (0, 0, 2, 2, 1, 1, 5, 4, 3), (0, 4, 5, 4, 0)],
    ids=["in order", "a gap", "swapped", "twice", "a gap and repeats"],
)
async def test_a_reader_gets_every_entry_once_and_in_order(store: Store, arriving: Sequence[int]) -> None:
    hub, listener = await _reader(store, _reading(store))
    entries = await _sent(store, 6)
    for index in arriving:
        hub.receive([entries[index]])
    await eventually(lambda: len(listener.got) >= 6, 30, "all entries arrive")
    assert _seqs(listener) == [entry.seq for entry in entries]


async def test_control_without_the_order_a_gap_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "offer", lambda self, entry: (entry,))
    hub, listener = await _reader(store, _reading(store))
    entries = await _sent(store, 6)
    hub.receive([entries[0]])
    hub.receive([entries[5]])
    await eventually(lambda: len(listener.got) >= 2, 30, "both arrive")
    assert _seqs(listener) != [entry.seq for entry in entries]


async def test_a_gap_is_filled_after_the_database_was_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered_entries, "RETRY", 0.01)
    failures = 3
    read = _reading(store)

    async def flaky(query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable(retry_after=1.0)
        return await read(query, *args, **kwargs)

    hub, listener = await _reader(store, flaky)
    entries = await _sent(store, 4)
    hub.receive([entries[0]])
    hub.receive([entries[3]])
    await eventually(lambda: len(listener.got) >= 4, 30, "all entries arrive")
    assert _seqs(listener) == [entry.seq for entry in entries]
    assert failures == 0


async def test_what_waits_behind_a_trimmed_gap_is_delivered(store: Store) -> None:
    read = _reading(store)

    async def trimmed(query: Any, *args: Any, **kwargs: Any) -> Any:
        return [] if query is log.entries else await read(query, *args, **kwargs)

    hub, listener = await _reader(store, trimmed)
    entries = await _sent(store, 4)
    hub.receive([entries[0]])
    hub.receive([entries[3]])
    await eventually(lambda: len(listener.got) >= 2, 30, "the last entry arrives")
    assert _seqs(listener) == [entries[0].seq, entries[3].seq]


def _reading(store: Store) -> Callable[..., Awaitable[Any]]:
    async def read(query: Any, *args: Any, **kwargs: Any) -> Any:
        return store.database.read(query, *args, **kwargs)

    return read


async def test_a_connection_that_follows_its_topic_again_gets_what_was_published_since(store: Store) -> None:
    anna = await store.person("anna")
    hub = ConnectionHub(Fanout(), LocalBus(), _reading(store), Clock(), connections_per_user=5)
    listener = Listener()
    attached = await hub.attach(listener, await identity_of(store, anna), only_topic=TOPIC)
    after = attached.snapshot.heads[TOPIC]
    before = len(store.published)
    for number in range(3):
        await store.journal.submit(SendMessage(room=LOBBY, key=f"k{number}", body=f"message {number}"), anna)
    hub.receive(store.published[before:])
    found = await hub.follow(attached.live, TOPIC, after + 1)
    assert [orjson.loads(text)["seq"] for text in found] == [after + 2, after + 3]
