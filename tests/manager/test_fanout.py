"""The fan-out against a plain model.

After any sequence of calls each listener has received the right messages in order.
"""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.delivery import fanout
from hubbub.delivery.connections import Blob
from hubbub.delivery.fanout import Fanout
from hubbub.domain.disconnects import Disconnect
from tests.manager.listener import Listener

PEOPLE, TOPICS = range(7), ["a", "b", "c"]
person, topic = st.sampled_from(PEOPLE), st.sampled_from(TOPICS)
CALLS = st.one_of(
    st.tuples(st.just("broadcast"), st.one_of(st.none(), topic)),
    st.tuples(st.just("to others"), st.one_of(st.none(), topic), st.sets(person, max_size=3)),
    st.tuples(st.just("send"), person),
    st.tuples(st.just("join"), person, topic),
    st.tuples(st.just("leave"), person, topic),
    st.tuples(st.just("settle"), person),
    st.tuples(st.just("remove"), person),
    st.tuples(st.just("tick")),
)


@dataclass
class Model:
    """What every listener should have received, kept in plain lists and sets."""

    topics: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in TOPICS})
    here: set[int] = field(default_factory=lambda: set(PEOPLE))
    heard: dict[int, list[bytes]] = field(default_factory=lambda: {one: [] for one in PEOPLE})

    def broadcast(self, text: bytes, name: str | None, excluded: frozenset[int] = frozenset()) -> None:
        for one in (self.here if name is None else self.topics[name]) - excluded:
            self.heard[one].append(text)

    def remove(self, one: int) -> None:
        self.here.discard(one)
        for members in self.topics.values():
            members.discard(one)


async def drained(registry: Fanout) -> None:
    while registry._scheduled or registry._cycle is not None:  # noqa: ASYNC110  one turn of the loop at a time
        await asyncio.sleep(0)


async def play(calls: list[tuple[object, ...]]) -> None:
    registry, model = Fanout(), Model()
    listeners = [Listener() for _ in PEOPLE]
    for listener in listeners:
        registry.add(listener)
    for number, (what, *arguments) in enumerate(calls):
        text = str(number).encode()
        match what, *arguments:
            case "tick", *_:
                await asyncio.sleep(0)
            case "broadcast", (str() | None) as name:
                registry.broadcast(text, name)
                model.broadcast(text, name)
            case "to others", (str() | None) as name, set() as excluded:
                registry.broadcast_to_others([listeners[one] for one in excluded], text, name)
                model.broadcast(text, name, frozenset(excluded))
            case str(), int(one), *rest if one in model.here:
                step((str(what), one, rest), registry, model, listeners[one], text)
    await drained(registry)
    for one, listener in enumerate(listeners):
        heard = model.heard[one]
        if one in model.here:
            assert listener.got == heard
        else:
            assert listener.got == heard[: len(listener.got)], "a removed listener received something else"


def step(call: tuple[str, int, list[object]], registry: Fanout, model: Model, listener: Listener, text: bytes) -> None:
    what, one, rest = call
    if what == "send":
        registry.send(listener, text)
        model.heard[one].append(text)
    elif what == "join":
        registry.join(listener, str(rest[0]))
        model.topics[str(rest[0])].add(one)
    elif what == "leave":
        registry.leave(listener, str(rest[0]))
        model.topics[str(rest[0])].discard(one)
    elif what == "settle":
        registry.flush_now(listener)
        assert listener.got == model.heard[one], "messages are pending after flush_now"
    elif what == "remove":
        registry.remove(listener)
        model.remove(one)


@settings(max_examples=400, deadline=None)
@given(calls=st.lists(CALLS, max_size=60), size=st.integers(1, 8))
def test_each_listener_receives_what_the_calls_sent_in_order(calls: list[tuple[object, ...]], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fanout, "SLICE", size)
        asyncio.run(play(calls))


def crowd(registry: Fanout, count: int, *topics: str) -> list[Listener]:
    listeners = [Listener() for _ in range(count)]
    for listener in listeners:
        registry.add(listener)
        for name in topics:
            registry.join(listener, name)
    return listeners


async def test_messages_of_one_tick_are_encoded_and_written_once_and_shared() -> None:
    registry = Fanout()
    listeners = crowd(registry, 600, "room")
    Listener.format.packed = 0
    for number in range(10):
        registry.broadcast(b"%d" % number, "room")
    await drained(registry)
    assert Listener.format.packed == 1
    assert {len(listener.blobs) for listener in listeners} == {1}
    assert len({id(listener.blobs[0]) for listener in listeners}) == 1
    assert registry.deliveries == 6_000
    assert registry.writes == 600


async def test_a_large_room_yields_to_the_loop_between_slices() -> None:
    registry = Fanout()
    listeners = crowd(registry, 2 * fanout.SLICE + 1)
    registry.broadcast(b"x")
    heard = []
    while registry._scheduled or registry._cycle is not None:
        await asyncio.sleep(0)
        heard.append(sum(len(listener.got) for listener in listeners))
    assert heard == [fanout.SLICE, 2 * fanout.SLICE, 2 * fanout.SLICE + 1]


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SLICE", 2)


@pytest.mark.usefixtures("small_slices")
async def test_during_a_flush_a_leaving_member_receives_the_message_and_a_joining_one_does_not() -> None:
    registry = Fanout()
    listeners = crowd(registry, 6, "room")
    late = Listener()
    registry.add(late)
    registry.broadcast(b"before", "room")
    await asyncio.sleep(0)
    assert listeners[-1].got == []
    registry.leave(listeners[-1], "room")
    registry.join(late, "room")
    registry.broadcast(b"after", "room")
    await drained(registry)
    assert listeners[-1].got == [b"before"]
    assert late.got == [b"after"]
    assert all(listener.got == [b"before", b"after"] for listener in listeners[:-1])


@pytest.mark.usefixtures("small_slices")
async def test_an_answer_follows_earlier_broadcasts_and_does_not_wait_for_the_flush() -> None:
    registry = Fanout()
    listeners = crowd(registry, 20, "room")
    registry.broadcast(b"event", "room")
    await asyncio.sleep(0)
    registry.send(listeners[-1], b"answer")
    await asyncio.sleep(0)
    assert listeners[-1].got == [b"event", b"answer"]
    assert any(listener.got == [] for listener in listeners)
    await drained(registry)


@pytest.mark.usefixtures("small_slices")
async def test_a_small_topic_overtakes_the_flush_of_a_large_one() -> None:
    registry = Fanout()
    crowd(registry, 20, "large")
    pair = crowd(registry, 2, "small")
    registry.broadcast(b"x", "large")
    await asyncio.sleep(0)
    registry.broadcast(b"y", "small")
    await asyncio.sleep(0)
    assert [listener.got for listener in pair] == [[b"y"], [b"y"]]
    await drained(registry)


async def test_a_removed_listener_receives_nothing_and_leaves_no_state() -> None:
    registry = Fanout()
    (only,) = crowd(registry, 1, "room")
    registry.broadcast(b"x", "room")
    registry.send(only, b"y")
    registry.remove(only)
    registry.remove(only)
    await drained(registry)
    assert only.got == []
    assert only not in registry
    assert not registry.members("room")
    assert registry._topics == {}


class Brittle(Listener):
    """A listener that fails as soon as it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Disconnect] = []

    def write(self, blob: Blob) -> None:
        raise RuntimeError("broken")

    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        self.ends.append(why)


@pytest.mark.parametrize("owed", ["a message", "a part of a round"])
@pytest.mark.usefixtures("small_slices")
async def test_a_listener_that_fails_while_it_joins_is_removed_completely(owed: str) -> None:
    registry, brittle = Fanout(), Brittle()
    sound = crowd(registry, 10, "large")
    registry.add(brittle)
    registry.join(brittle, "large")
    if owed == "a message":
        registry.send(brittle, b"x")
    else:
        registry.broadcast(b"x", "large")
        await asyncio.sleep(0)
        assert registry._cycle is not None
        assert brittle in registry._cycle.pending
        registry.broadcast(b"y", "large")
    registry.join(brittle, "small")
    assert brittle.ends == [Disconnect.INTERNAL]
    assert brittle not in registry
    assert brittle.topics == set()
    assert brittle not in registry.members("large")
    assert "small" not in registry._topics
    assert brittle not in registry._flushed_early
    assert brittle not in registry._personal
    registry.broadcast(b"z")
    await drained(registry)
    assert {listener.got[-1] for listener in sound} == {b"z"}
    assert brittle.ends == [Disconnect.INTERNAL]
