"""What every bus between nodes does: deliver, stay in order, lose nothing for good, ignore what is foreign."""

import asyncio
from collections.abc import Sequence
from contextlib import closing

import orjson
import psycopg
import pytest
from sqlalchemy.engine import make_url

from hubbub.bus import remote
from hubbub.bus.messages import Codec
from hubbub.bus.remote import RemoteBus
from hubbub.domain import entries
from hubbub.domain.commands import CreateRoom, JoinRoom, LeaveRoom
from hubbub.domain.events import BY_TYPE, Entry
from hubbub.domain.model import room_topic, user_topic
from hubbub.domain.text import MAX_BODY_BYTES
from tests.bus.conftest import MakeNode
from tests.bus.nodes import DEADLINE, SECRET, TOPIC, MakeBus, Node, reaches, seqs
from tests.manager.listener import Listener
from tests.support.nats import Nats
from tests.support.waiting import eventually


async def test_entries_reach_every_node_once_and_in_order_while_all_nodes_write(make_node: MakeNode) -> None:
    nodes = [await make_node() for _ in range(3)]
    listeners = [await each.listen() for each in nodes]
    users = [await each.user(f"user{number}") for number, each in enumerate(nodes)]

    async def write(number: int) -> int:
        return max([await nodes[number].send(users[number]) for _ in range(40)])

    last = max(await asyncio.gather(*(write(number) for number in (0, 1, 2) for _ in range(3))))
    for listener in listeners:
        await reaches(listener, last)
        found = seqs(listener)
        assert found == list(range(found[0], last + 1)), "every entry once, in order"
    assert len({tuple(listener.got) for listener in listeners}) == 1, "and the same on every node"


async def test_a_node_without_subscribers_of_a_topic_does_not_pass_it_on(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LINGER", 0.1)
    monkeypatch.setattr("hubbub.bus.interest.LINGER", 0.1)
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, await writer.send(anna))
    reader.fanout.remove(listener)
    await eventually(lambda: TOPIC not in reader.bus._interest, DEADLINE, "the node leaves the topic")
    other = (await writer.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"]
    second = await reader.listen(room_topic(other.id))
    await writer.send(anna)
    await reaches(second, await writer.send(anna, room=other.id))  # sent later, so the first would be here
    assert [entry.seq for entry in reader.passed if entry.topic == TOPIC] == seqs(listener)
    again = await reader.listen()
    await reaches(again, last := await writer.send(anna))
    assert seqs(again) == [last], "a subscriber that comes back starts at the head"


async def test_a_subscriber_that_returns_soon_finds_the_topic_still_joined(make_node: MakeNode) -> None:
    reader = await make_node()
    listener = await reader.listen()
    reader.fanout.remove(listener)
    assert TOPIC in reader.bus._interest
    assert not reader.bus._interest.join(TOPIC), "nothing has to be subscribed again"


async def test_a_lost_publication_is_found_by_the_next_comparison(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, await writer.send(anna))
    monkeypatch.setattr(writer.bus, "publish", lambda entries: None)
    lost = await writer.send(anna)
    await reader.hub.compare()
    await reaches(listener, lost)
    assert reader.hub.repaired == 1


async def test_control_without_a_comparison_a_lost_publication_stays_lost(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, before := await writer.send(anna))
    with monkeypatch.context() as lost:
        lost.setattr(writer.bus, "publish", lambda entries: None)
        await writer.send(anna)
    other = (await writer.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"]
    second = await reader.listen(room_topic(other.id))
    await reaches(second, await writer.send(anna, room=other.id))  # the bus works, and this came later
    assert seqs(listener)[-1] == before


async def test_a_gap_before_an_entry_is_read_from_the_log(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    with monkeypatch.context() as lost:
        lost.setattr(writer.bus, "publish", lambda entries: None)
        for _ in range(5):
            await writer.send(anna)
    await reaches(listener, last := await writer.send(anna))
    assert seqs(listener) == list(range(first, last + 1))


async def test_nodes_converge_after_an_outage_of_the_bus(
    make_node: MakeNode, kind: str, address: str, request: pytest.FixtureRequest
) -> None:
    nodes = [await make_node(), await make_node()]
    listeners = [await each.listen() for each in nodes]
    users = [await each.user(f"user{number}") for number, each in enumerate(nodes)]
    first = await nodes[0].send(users[0])
    for listener in listeners:
        await reaches(listener, first)
    stop = asyncio.Event()

    async def write(each: Node, user: int) -> int:
        last = 0
        while not stop.is_set():
            last = await each.send(users[user])
        return last

    writing = [asyncio.create_task(write(each, number)) for number, each in enumerate(nodes)]
    if kind == "nats":
        server: Nats = request.getfixturevalue("nats_server")
        server.kill()
        await eventually(lambda: not any(each.bus.connected for each in nodes), DEADLINE, "the nodes notice")
        for number, each in enumerate(nodes):
            await each.send(users[number])
        await asyncio.to_thread(server.start)
    else:
        for _ in range(5):
            await asyncio.to_thread(terminate, address)
            await asyncio.sleep(0)
    await eventually(lambda: all(each.bus.counts.connects > 1 for each in nodes), DEADLINE, "the nodes reconnect")
    stop.set()
    last = max(await asyncio.gather(*writing))
    for listener in listeners:
        await reaches(listener, last)
        found = seqs(listener)
        assert found == list(range(found[0], last + 1))


def terminate(address: str) -> None:
    """End the connections of all buses, as a restart of PostgreSQL does."""
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hubbub-bus'"
            " AND datname = current_database()"
        )


async def test_the_longest_messages_arrive(make_node: MakeNode) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    sent = await asyncio.gather(*(writer.send(anna, "\N{GRINNING FACE}" * (MAX_BODY_BYTES // 4)) for _ in range(20)))
    await reaches(listener, max(sent))
    assert seqs(listener) == list(range(first, max(sent) + 1))


async def test_a_commit_in_many_topics_reaches_all_of_them(make_node: MakeNode) -> None:
    """More topics than a notification of PostgreSQL holds."""
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    rooms = []
    for number in range(300):
        made = await writer.journal.submit(CreateRoom(kind="private", name=f"Room {number}"), anna)
        rooms.append(made.answer["room"].id)
    listeners = [await reader.listen(room_topic(room)) for room in rooms]
    before = [reader.position(room_topic(room)) or 0 for room in rooms]
    await asyncio.gather(*(writer.send(anna, room=room) for room in rooms))
    for listener, head in zip(listeners, before, strict=True):
        await reaches(listener, head + 1)
        assert seqs(listener) == [head + 1]


@pytest.mark.parametrize("secret", [SECRET, b"of another site ................"], ids=["own", "foreign"])
@pytest.mark.parametrize(
    "payload",
    ["", "hubbub1", "hubbub2 x\n{}", "\x01" * 5_000, '{"node":1}'],
    ids=["empty", "short", "v2", "long", "json"],
)
async def test_garbage_is_ignored_and_counted(make_node: MakeNode, secret: bytes, payload: str) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    ignored = reader.bus.counts.ignored
    await shout(writer.bus, payload.encode())
    if secret != SECRET:
        await shout(writer.bus, Codec(secret, "intruder").encode("first", {TOPIC: 10**9}, everything=False))
    await eventually(lambda: reader.bus.counts.ignored > ignored + (secret != SECRET), DEADLINE, "it is counted")
    await reaches(listener, last := await writer.send(anna))
    assert seqs(listener) == list(range(first, last + 1))


async def shout(bus: RemoteBus, payload: bytes) -> None:
    """Send bytes as they are to the topic of all nodes."""
    if bus.kind == "nats":
        bus._enqueue("heads", payload)  # type: ignore[attr-defined]
        bus._wake.set()
        return
    text = payload.decode()
    url = bus._conninfo  # type: ignore[attr-defined]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_notify(%s, %s)", (bus._channel, text))  # type: ignore[attr-defined]


async def test_a_head_above_the_log_changes_nothing(make_node: MakeNode) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    await shout(writer.bus, Codec(SECRET, "mistaken").encode("first", {TOPIC: 10**9}, everything=False))
    await reaches(listener, last := await writer.send(anna))
    assert seqs(listener) == list(range(first, last + 1))


async def test_messages_of_another_epoch_are_not_delivered_and_make_the_node_look(make_node: MakeNode) -> None:
    reader = await make_node()
    looked: list[bool] = []
    reader.hub.on_doubt = lambda: looked.append(True)
    await reader.listen()
    writer = await make_node(epoch="second")
    anna = await writer.user("anna")
    await writer.send(anna)
    await eventually(lambda: looked, DEADLINE, "the node looks at the epoch")
    assert reader.bus.counts.received


async def test_publishing_waits_for_nothing_and_buffers_are_bounded(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.nats.MAX_QUEUED", 2_000)
    monkeypatch.setattr(remote, "MAX_HEADS", 3)
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    rooms = []
    for number in range(10):
        made = await writer.journal.submit(CreateRoom(kind="public", name=f"Room {number}"), anna)
        rooms.append(made.answer["room"].id)
    listeners = [await reader.listen(room_topic(room)) for room in rooms]
    sent = await asyncio.gather(*(writer.send(anna, "x" * 500, room=room) for room in rooms for _ in range(5)))
    assert writer.bus.counts.dropped, "more than fits"
    for number, listener in enumerate(listeners):
        head = max(sent[number * 5 : number * 5 + 5])
        await reaches(listener, head)
        assert seqs(listener) == list(range(seqs(listener)[0], head + 1))


async def test_nothing_arrives_after_close(make_node: MakeNode) -> None:
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener, other = await reader.listen(), await writer.listen()
    await reaches(listener, before := await writer.send(anna))
    await reader.bus.close()
    await reaches(other, await writer.send(anna))
    assert seqs(listener)[-1] == before
    assert await reader.send(await reader.user("bob")), "the journal works without the bus"


async def test_a_bus_that_is_never_reached_is_tried_for_ever(make_bus: MakeBus, kind: str) -> None:
    bus = make_bus(Codec(SECRET, "node"))
    attempts: list[bool] = []

    async def fail() -> None:
        attempts.append(True)
        raise ConnectionRefusedError(f"no {kind} here")

    bus._serve = fail  # type: ignore[method-assign]
    bus.start(None)  # type: ignore[arg-type]
    await eventually(lambda: len(attempts) >= 3, DEADLINE, "it tries again")
    assert not bus.connected
    await bus.close()


async def test_a_member_who_joins_while_the_node_is_behind_gets_nothing_from_before(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node catches up for its other connections first."""
    writer, reader = await make_node(), await make_node()
    anna, bob = await writer.user("anna"), await writer.user("bob")
    room = (await writer.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"].id
    member = await reader.listen(room_topic(room))
    with monkeypatch.context() as lost:
        lost.setattr(writer.bus, "publish", lambda entries: None)
        before = [await writer.send(anna, "before", room=room) for _ in range(3)]
        joined = int(str((await writer.journal.submit(JoinRoom(room=room), bob)).answer["room"].head))
    newcomer = Listener()
    reader.fanout.add(newcomer)
    reader.join(newcomer, room_topic(room), joined)
    await reaches(member, before[-1])
    await reaches(newcomer, last := await writer.send(anna, room=room))
    assert seqs(newcomer) == list(range(joined + 1, last + 1))
    assert seqs(member)[-1] >= last


async def test_what_a_newer_version_adds_is_ignored_or_passed_on(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message with other fields, and events of a kind that this version does not know."""
    writer, reader = await make_node(), await make_node()
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    ignored, received = reader.bus.counts.ignored, reader.bus.counts.received
    newer = Codec(SECRET, "newer")
    head = {"node": "newer", "epoch": "first", "heads": {}, "all": False, "signals": [["new", {}, None]], "since": 12}
    rest = orjson.dumps(head)
    await shout(writer.bus, b"hubbub1 %b\n%b" % (newer._sign(rest), rest))
    await eventually(lambda: reader.bus.counts.received > received, DEADLINE, "the message is read")
    # Messages under a name that the reader does not know, by the bus and from the log.
    kinds = {type_: event for type_, event in BY_TYPE.items() if type_ != "message.sent"}
    monkeypatch.setattr(entries, "BY_TYPE", kinds)
    with monkeypatch.context() as lost:
        lost.setattr(writer.bus, "_publish", lambda topic, entries: None)
        await writer.send(anna)
    await reaches(listener, last := await writer.send(anna))
    assert seqs(listener) == list(range(first, last + 1))
    assert reader.bus.counts.ignored == ignored
    assert type(reader.passed[-1].event) is entries.UnknownEvent


async def test_a_member_who_is_added_after_the_node_has_delivered_later_messages_gets_these(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room's topic may arrive before the user's own topic says that the user is a member."""
    writer, reader = await make_node(), await make_node()
    anna, bob = await writer.user("anna"), await writer.user("bob")
    room = (await writer.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"].id
    member = await reader.listen(room_topic(room))
    newcomer = reader.connect(bob)
    held_back: list[Entry] = []
    publish = writer.bus.publish

    def late(entries: Sequence[Entry]) -> None:
        held_back.extend(entry for entry in entries if entry.topic == user_topic(bob.id))
        publish([entry for entry in entries if entry.topic != user_topic(bob.id)])

    monkeypatch.setattr(writer.bus, "publish", late)
    joined = int(str((await writer.journal.submit(JoinRoom(room=room), bob)).answer["room"].head))
    before = [await writer.send(anna, "before", room=room) for _ in range(3)]
    await reaches(member, before[-1])
    reader.hub.receive(held_back)
    topic = room_topic(room)
    await eventually(lambda: before[-1] in seqs(newcomer, topic), DEADLINE, "the newcomer gets what it lacks")
    await reaches(newcomer, last := await writer.send(anna, room=room))
    assert seqs(newcomer, topic) == list(range(joined, last + 1))


async def test_a_member_who_left_and_joined_again_gets_nothing_from_in_between(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first membership is heard of when the database has the second one, which the room's topic lacks here."""
    writer, reader = await make_node(), await make_node()
    anna, bob = await writer.user("anna"), await writer.user("bob")
    room = (await writer.journal.submit(CreateRoom(kind="public", name="Other"), anna)).answer["room"].id
    topic = room_topic(room)
    member = await reader.listen(topic)
    newcomer = reader.connect(bob)
    own: list[Entry] = []
    rest: list[Entry] = []
    publish, late = writer.bus.publish, [user_topic(bob.id)]

    def hold(entries: Sequence[Entry]) -> None:
        own.extend(entry for entry in entries if entry.topic == user_topic(bob.id))
        rest.extend(entry for entry in entries if entry.topic == topic and topic in late)
        publish([entry for entry in entries if entry.topic not in late])

    monkeypatch.setattr(writer.bus, "publish", hold)
    await writer.journal.submit(JoinRoom(room=room), bob)
    await writer.journal.submit(LeaveRoom(room=room), bob)
    await reaches(member, await writer.send(anna, "in between", room=room))
    late.append(topic)
    await writer.send(anna, "in between, too", room=room)
    joined = int(str((await writer.journal.submit(JoinRoom(room=room), bob)).answer["room"].head))
    last = await writer.send(anna, "after it", room=room)
    reader.hub.receive(own[:1])
    await eventually(lambda: not any(each.joining for each in reader.hub._live.values()), DEADLINE, "it has caught up")
    reader.hub.receive(rest)
    reader.hub.receive(own[1:])
    await eventually(lambda: last in seqs(newcomer, topic), DEADLINE, "the member gets what follows")
    assert min(seqs(newcomer, topic)) == joined
