"""What reaches the other processes besides text: bytes, JSON, users, exclusions and closes."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from hubbub import BusOptions, ConnectionManager
from hubbub.bus import texts
from hubbub.bus.messages import Unreadable
from hubbub.bus.text_bus import TextBus
from hubbub.gateways.manager import envelopes
from hubbub.gateways.manager.envelopes import Closed, Sent
from hubbub.gateways.manager.names import User
from tests.manager.bus.conftest import DEADLINE, BusServer, MakeManager, bus_of, connected, hears, is_up, joins
from tests.manager.peer import Peer
from tests.support.waiting import eventually

SECRETS: list[dict[str, Any]] = [{}, {"secret": "a secret of this application"}]
signed = pytest.mark.parametrize("secret", SECRETS, ids=["no secret", "signed"])


async def device(manager: ConnectionManager, user: str | int) -> Peer:
    """Return a client of a user, when the bus knows of the user."""
    peer = Peer()
    await manager.connect(peer.socket)
    await is_up(manager)
    join = manager.join
    manager.join = lambda websocket, topic, **_: manager.add(websocket, user=topic) or True  # type: ignore[func-returns-value,method-assign]
    try:
        await joins(manager, peer, user)  # type: ignore[arg-type]
    finally:
        manager.join = join  # type: ignore[method-assign]
    return peer


@signed
async def test_bytes_and_json_reach_the_other_processes_in_order(
    make_manager: MakeManager, secret: dict[str, Any]
) -> None:
    here, there = make_manager(**secret), make_manager(**secret)
    near, far = await connected(here, "a"), await connected(there, "a")
    large = b"\xff\n" * 400_000
    for message in ("1", b"\0\xff\n", {"n": 2}, large, "3"):
        await here.broadcast(message, topic="a")
    await hears(near, "1", "<00ff0a>", '{"n":2}', f"<{large.hex()}>", "3")
    await hears(far, *near.got)
    with pytest.raises(ValueError, match="1,048,576 bytes"):
        await here.broadcast(b"x" * (texts.MAX_TEXT + 1))
    await here.broadcast(b"x" * texts.MAX_TEXT, exclude="bob")
    await eventually(lambda: len(far.got) == 6, DEADLINE, "the longest message arrives")


@signed
async def test_a_message_to_a_user_reaches_the_devices_in_all_processes(
    make_manager: MakeManager, secret: dict[str, Any]
) -> None:
    here, there = make_manager(**secret), make_manager(**secret)
    phone, laptop, other = await device(here, "7"), await device(there, "7"), await device(there, 7)
    topic = await connected(there, "7")
    await here.send_personal_message("for the str", "7")
    await here.send_personal_message({"for": "the int"}, 7)
    await here.send_personal_message(b"bytes", "7")
    for peer in (phone, laptop):
        await hears(peer, "for the str", f"<{b'bytes'.hex()}>")
    await hears(other, '{"for":"the int"}')
    assert topic.got == []


@signed
async def test_excluded_users_get_nothing_in_any_process(make_manager: MakeManager, secret: dict[str, Any]) -> None:
    here, there = make_manager(**secret), make_manager(**secret)
    ann, ann_there, seven = await device(here, "ann"), await device(there, "ann"), await device(there, 7)
    for manager, peer in ((here, ann), (there, ann_there), (there, seven)):
        await joins(manager, peer, "a")
    await here.broadcast("1", topic="a", exclude="ann")
    await here.broadcast("2", topic="a", exclude=[7, uuid4()])
    await here.broadcast("3", topic="a", exclude=ann.socket)
    await here.broadcast(b"4", topic="a", exclude="ann")
    await here.broadcast("5", topic="a")
    await hears(ann, "2", "5")
    await hears(ann_there, "2", "3", "5")
    await hears(seven, "1", "3", "<34>", "5")
    with pytest.raises(ValueError, match="to exclude"):
        await here.broadcast("x", exclude=["x" * 1_000] * 20)


@signed
async def test_closes_reach_all_processes_after_what_was_sent_before(
    make_manager: MakeManager, secret: dict[str, Any]
) -> None:
    here, there = make_manager(**secret), make_manager(**secret)
    near, far, other = await connected(here, "a"), await connected(there, "a"), await device(there, "ann")
    await here.broadcast("last", topic="a")
    await here.close_topic("a", 4001, "closed")
    await here.broadcast("too late", topic="a")
    for peer in (near, far):
        await hears(peer, "last", "close 4001")
    assert there.active_connections == [other.socket]
    await here.send_personal_message("bye", "ann")
    await here.close_user("ann", 4002)
    await hears(other, "bye", "close 4002")
    rest = await connected(there)
    await here.close_all()
    await hears(rest, "close 1001")
    assert there.active_connections == []


async def test_control_a_manager_that_does_not_hear_envelopes_fails(
    make_manager: MakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = TextBus._receive

    def deaf(self: TextBus, topic: str, text: bytes, kind: int) -> None:
        if kind == texts.TEXT:
            receive(self, topic, text, kind)

    monkeypatch.setattr(TextBus, "_receive", deaf)
    monkeypatch.setattr("tests.manager.bus.conftest.HEARS", 2.0)
    with pytest.raises(AssertionError, match="arrived"):
        await test_closes_reach_all_processes_after_what_was_sent_before(make_manager, {})


async def test_what_newer_processes_send_is_ignored_and_harms_nothing(
    make_manager: MakeManager, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = make_manager(), make_manager()
    await connected(here)
    far = await connected(there)
    bus = bus_of(here)
    bus.send(texts.ALL, b"of a kind of the future", 9)
    bus.send(texts.ALL, b'{"do":"dance","how":1}\n', texts.ENVELOPE)
    bus.send(texts.ALL, b'{"do":"send","font":"bold"}\nwith a new field', texts.ENVELOPE)
    await here.broadcast("still here")
    await hears(far, "with a new field", "still here")
    assert bus_of(there).counts.ignored == 0
    assert "Ignored" not in caplog.text


@pytest.mark.parametrize(
    "rubbish",
    [
        b"", b"\n", b"no line", b"[]\n", b"{}\n", b"null\n", b'{"do":"send"}\n\xff', b'{"do":[]}\n\xff',
        b'{"do":"send","exclude":5}\n', b'{"do":"send","exclude":[["str"]]}\n', b'{"do":"send","exclude":["x"]}\n',
        b'{"do":"send","object":true}\n[1]', b'{"do":"send","object":true}\n{', b'{"do":"close"}\n',
        b'{"do":"close","code":1006,"reason":""}\n', b'{"do":"close","code":"1000","reason":""}\n',
        b'{"do":"close","code":1000,"reason":5}\n', b'{"do":"close","code":true,"reason":""}\n',
        b'{"do":"close","code":1000,"reason":"' + b"x" * 124 + b'"}\n', b'{"do":"send"' + b" " * 20_000 + b"}\n",
        b'{"do":"send"}\n' + b"x" * (texts.MAX_TEXT + 1),
    ],
)  # fmt: skip
def test_an_envelope_that_is_rubbish_is_unreadable(rubbish: bytes) -> None:
    try:
        assert envelopes.read(rubbish) is None
    except Unreadable:
        return
    assert rubbish == b'{"do":[]}\n\xff', "an unknown kind"


@pytest.mark.parametrize(
    "envelope",
    [
        Sent(b""), Sent(b"\n\xff", binary=True), Sent(b'{"n":1}', is_object=True),
        Sent(b"x", excluded=("a", 1, uuid4())), Closed(1000, ""), Closed(4999, "Grüße"),
    ],
)  # fmt: skip
def test_an_envelope_is_read_as_it_was_written(envelope: Sent | Closed) -> None:
    assert envelopes.read(envelopes.write(envelope)) == envelope


async def test_rubbish_in_an_envelope_is_counted_and_harms_nothing(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    await connected(here)
    far = await connected(there)
    bus_of(here).send(texts.ALL, b"rubbish", texts.ENVELOPE)
    await here.broadcast("still here")
    await hears(far, "still here")
    assert bus_of(there).counts.ignored == 1


def test_topics_and_users_of_all_types_have_different_names_on_the_bus() -> None:
    number = uuid4()
    keys: list[Any] = ["1", 1, number, str(number), number.hex, User("1"), User(1), User(number), "user str", "int"]
    manager = ConnectionManager(bus="nats://127.0.0.1:1")

    async def names() -> set[str]:
        manager._current()
        assert manager._others is not None
        found = {manager._others._name(key) for key in keys}
        await manager.close()
        return found

    assert len(asyncio.run(names())) == len(keys)


async def test_the_history_of_a_process_has_what_all_processes_sent_while_it_had_a_member(
    bus: BusServer,
) -> None:
    here, there = [ConnectionManager(bus=BusOptions(bus.address), history=10) for _ in range(2)]
    near, far = await connected(here, "a"), await connected(there, "a")
    for number in range(3):
        await here.broadcast({"n": number}, topic="a")
    await eventually(lambda: len(far.got) == 3, DEADLINE, "the objects arrive")
    assert [json.loads(text)["n"] for text in far.got] == [0, 1, 2]
    assert json.loads(near.got[0])["id"] != json.loads(far.got[0])["id"], "each process has its own ids"
    first = json.loads(far.got[0])["id"]
    again, elsewhere = Peer(), Peer()
    await there.connect(again.socket)
    await here.connect(elsewhere.socket)
    assert there.join(again.socket, "a", since=first) is True
    assert here.join(elsewhere.socket, "a", since=first) is False
    await eventually(lambda: len(again.got) == 2 and len(elsewhere.got) == 3, DEADLINE, "both resume")
    for peer in (far, again):
        there.disconnect(peer.socket)
    back = Peer()
    await there.connect(back.socket)
    assert there.join(back.socket, "a", since=first) is False, "the process did not listen"
    for manager in (here, there):
        await manager.close()
