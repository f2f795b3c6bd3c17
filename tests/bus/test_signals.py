"""Signals between nodes: not stored, at most once, bounded, to all nodes or those that follow a topic."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from hubbub.bus import signals
from hubbub.bus.messages import Codec
from hubbub.bus.signals import BYE, HELLO, MAX_SIGNAL
from hubbub.domain.commands import CreateRoom
from hubbub.domain.model import room_topic
from tests.bus.conftest import MakeNode
from tests.bus.nodes import DEADLINE, SECRET, TOPIC, Node, reaches
from tests.bus.test_contract import shout
from tests.support.nats import Nats
from tests.support.waiting import eventually

KIND = "weather"


class Heard:
    """The signals of one kind that a node got."""

    def __init__(self, node: Node, kind: str = KIND, *, any_epoch: bool = False) -> None:
        self.found: list[tuple[str, Mapping[str, Any]]] = []
        node.bus.on_signal(kind, lambda sender, content: self.found.append((sender, content)), any_epoch=any_epoch)

    @property
    def numbers(self) -> list[int]:
        return [content["number"] for _, content in self.found]

    async def reaches(self, number: int) -> None:
        await eventually(lambda: number in self.numbers, DEADLINE, f"signal {number} arrives")


async def test_signals_reach_all_other_nodes_in_order_and_not_their_sender(make_node: MakeNode) -> None:
    nodes = [await make_node() for _ in range(3)]
    heard = [Heard(each) for each in nodes]
    for number in range(100):
        nodes[0].bus.signal(KIND, {"number": number})
    nodes[1].bus.signal(KIND, {"number": 100})
    for each in heard[1:]:
        await each.reaches(99)
        assert [number for number in each.numbers if number < 100] == list(range(100))
    await heard[0].reaches(100)
    assert heard[0].found == [(nodes[1].bus.node, {"number": 100})]
    assert nodes[0].bus.node != nodes[1].bus.node


async def test_a_signal_for_a_topic_reaches_only_nodes_that_follow_it(make_node: MakeNode) -> None:
    sender, follower, other = [await make_node() for _ in range(3)]
    heard, unheard = Heard(follower), Heard(other)
    await follower.listen()
    sender.bus.signal(KIND, {"number": 1}, TOPIC)
    sender.bus.signal(KIND, {"number": 2})
    for each in heard, unheard:
        await each.reaches(2)
    await heard.reaches(1)
    assert unheard.numbers == [2]


async def test_many_signals_share_messages(make_node: MakeNode) -> None:
    sender, receiver = await make_node(), await make_node()
    heard, before = Heard(receiver), sender.bus.counts.sent
    for number in range(1_000):
        sender.bus.signal(KIND, {"number": number})
    await heard.reaches(999)
    assert heard.numbers == list(range(1_000))
    assert sender.bus.counts.sent - before <= 10


async def test_the_longest_signal_arrives_and_a_longer_one_is_refused(make_node: MakeNode) -> None:
    sender, receiver = await make_node(), await make_node()
    heard = Heard(receiver)
    overhead = len('{"number":1,"text":""}')
    for text in "x" * (MAX_SIGNAL - overhead), "\N{GRINNING FACE}" * ((MAX_SIGNAL - overhead) // 12):
        heard.found.clear()
        sender.bus.signal(KIND, {"number": 1, "text": text})
        await heard.reaches(1)
        assert heard.found[0][1]["text"] == text
    with pytest.raises(ValueError, match="at most 6000"):
        sender.bus.signal(KIND, {"number": 2, "text": "x" * (MAX_SIGNAL - overhead + 1)})
    with pytest.raises(ValueError, match="kind"):
        sender.bus.signal("x" * 51, {})
    sender.bus.signal(KIND, {"number": 3})
    await heard.reaches(3)
    assert heard.numbers == [1, 3]


async def test_what_waits_is_bounded_and_the_rest_is_dropped(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "MAX_WAITING", 1_000)
    sender, receiver = await make_node(), await make_node()
    heard = Heard(receiver)
    for number in range(100):
        sender.bus.signal(KIND, {"number": number})
    assert sender.bus.counts.dropped > 50
    sent = 100 - sender.bus.counts.dropped
    await heard.reaches(sent - 1)
    sender.bus.signal(KIND, {"number": 100})
    await heard.reaches(100)
    assert heard.numbers == [*range(sent), 100], "there is room again"


async def test_signals_during_an_outage_are_dropped_and_later_ones_arrive(
    make_node: MakeNode, kind: str, request: pytest.FixtureRequest
) -> None:
    sender, receiver = await make_node(), await make_node()
    heard = Heard(receiver)
    if kind == "nats":
        server: Nats = request.getfixturevalue("nats_server")
        server.kill()
        await eventually(lambda: not sender.bus.connected, DEADLINE, "the node notices")
    else:
        sender.bus.connected = False  # as between two connections: NOTIFY needs the database that all need
    for number in range(10):
        sender.bus.signal(KIND, {"number": number})
    assert sender.bus.counts.dropped == 10
    assert not sender.bus._signals
    if kind == "nats":
        server.start()
        await eventually(lambda: sender.bus.connected and receiver.bus.connected, DEADLINE, "the nodes reconnect")
    else:
        sender.bus.connected = True
    sender.bus.signal(KIND, {"number": 10})
    await heard.reaches(10)
    assert heard.numbers == [10]


async def test_signals_of_unknown_kinds_and_unfit_contents_are_ignored(make_node: MakeNode) -> None:
    sender, receiver = await make_node(), await make_node()
    found: list[int] = []
    receiver.bus.on_signal(KIND, lambda node, content: found.append(content["number"] + 0))
    ignored = receiver.bus.counts.ignored
    sender.bus.signal("of a later version", {"number": 1})
    unfit: list[dict[str, Any]] = [{}, {"number": None}, {"number": []}]
    for content in unfit:
        sender.bus.signal(KIND, content)
    sender.bus.signal(KIND, {"number": 2})
    await eventually(lambda: found, DEADLINE, "the last one arrives")
    assert found == [2]
    assert receiver.bus.counts.ignored == ignored + 3, "those that did not fit; an unknown kind is no mistake"


@pytest.mark.parametrize(
    "fields",
    [b"1", b"[1]", b"[[]]", b'[["weather",1,null]]', b"[[1,{},null]]", b'[["weather",{},1]]', b'{"weather":{}}'],
)
async def test_signals_of_another_form_are_ignored_and_counted(make_node: MakeNode, fields: bytes) -> None:
    sender, receiver = await make_node(), await make_node()
    heard, ignored = Heard(receiver), receiver.bus.counts.ignored
    codec = Codec(SECRET, "mistaken")
    head = orjson.dumps({"node": "mistaken", "epoch": "first", "heads": {}, "signals": orjson.Fragment(fields)})
    await shout(sender.bus, b"hubbub1 %b\n%b" % (codec._sign(head), head))
    await eventually(lambda: receiver.bus.counts.ignored > ignored, DEADLINE, "it is counted")
    sender.bus.signal(KIND, {"number": 1})
    await heard.reaches(1)
    assert len(heard.found) == 1


async def test_signals_of_another_site_are_ignored(make_node: MakeNode) -> None:
    sender, receiver = await make_node(), await make_node()
    heard = Heard(receiver)
    text = b'["weather",{"number":1},null]'
    await shout(sender.bus, Codec(b"of another site ................", "intruder").encode("first", {}, signals=[text]))
    await eventually(lambda: receiver.bus.counts.ignored, DEADLINE, "it is counted")
    await shout(sender.bus, Codec(SECRET, "own").encode("first", {}, signals=[text.replace(b"1", b"2")]))
    await heard.reaches(2)
    assert heard.numbers == [2]


async def test_signals_of_another_epoch_are_passed_only_to_those_who_want_them(make_node: MakeNode) -> None:
    receiver, sender = await make_node(), await make_node(epoch="second")
    some, every = Heard(receiver), Heard(receiver, any_epoch=True)
    sender.bus.signal(KIND, {"number": 1})
    await every.reaches(1)
    sender.bus.epoch = "first"
    sender.bus.signal(KIND, {"number": 2})
    await some.reaches(2)
    assert some.numbers == [2]


async def test_a_node_says_hello_when_it_connects_and_bye_when_it_leaves(make_node: MakeNode) -> None:
    first = await make_node()
    hello, bye = Heard(first, HELLO), Heard(first, BYE)
    second = await make_node()
    await eventually(lambda: hello.found, DEADLINE, "it is heard")
    assert hello.found == [(second.bus.node, {})]
    assert not bye.found
    await second.bus.close()
    await eventually(lambda: bye.found, DEADLINE, "it is heard")
    assert bye.found == [(second.bus.node, {})]


async def test_entries_arrive_while_signals_flood_the_bus(make_node: MakeNode) -> None:
    sender, receiver = await make_node(), await make_node()
    anna = await sender.user("anna")
    room = (await sender.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"].id
    listener = await receiver.listen(room_topic(room))
    for number in range(20_000):
        sender.bus.signal(KIND, {"number": number})
    assert sender.bus.counts.dropped
    await reaches(listener, await sender.send(anna, room=room))
    assert sender.bus.connected
