"""What every bus does for managers: deliver once and in order, to members only, and keep names apart."""

import asyncio
import random

import pytest

from hubbub import ConnectionManager
from hubbub.bus import texts
from hubbub.bus.text_bus import TextBus
from tests.manager.bus.conftest import DEADLINE, BusServer, MakeManager, bus_of, connected, hears, is_up, joins
from tests.support.waiting import eventually


async def deliver_to_both(here: ConnectionManager, there: ConnectionManager, within: float = DEADLINE) -> None:
    """Broadcast at one manager and require the text at both, once."""
    one, two = await connected(here), await connected(there)
    await here.broadcast("hello, Grüße 😀")
    await eventually(lambda: two.got, within, "the text reaches the other manager")
    await there.broadcast("back")
    await hears(one, "hello, Grüße 😀", "back")
    await hears(two, "hello, Grüße 😀", "back")


async def test_a_broadcast_reaches_the_clients_of_all_managers_once(make_manager: MakeManager) -> None:
    await deliver_to_both(make_manager(), make_manager())


async def test_control_a_manager_that_hears_nothing_fails_the_test_of_delivery(
    make_manager: MakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextBus, "_receive", lambda self, topic, text, kind: None)
    with pytest.raises(AssertionError, match="reaches the other manager"):
        await deliver_to_both(make_manager(), make_manager(), within=2.0)


async def test_a_broadcast_to_a_topic_reaches_its_members_in_all_managers_only(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    both, one, none = await connected(there, "a", "Ä b.*>"), await connected(there, "a"), await connected(there)
    sender = await connected(here)
    await here.broadcast("to a", topic="a")
    await here.broadcast("to no member", topic="c")
    await hears(one, "to a")  # A process hears topics in any order relative to each other.
    await here.broadcast("to the other", topic="Ä b.*>")
    await hears(both, "to a", "to the other")
    there.leave(one.socket, "a")
    await here.broadcast("to a again", topic="a")
    await hears(both, "to a", "to the other", "to a again")
    await here.broadcast("to all")
    await hears(one, "to a", "to all")
    await hears(none, "to all")
    await hears(sender, "to all")


async def test_a_topic_of_a_user_carries_personal_messages(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    phone, laptop = await connected(here, "user:ann"), await connected(there, "user:ann")
    other = await connected(there, "user:bob")
    await here.broadcast("for ann", topic="user:ann")
    await there.broadcast("for bob", topic="user:bob")
    await hears(phone, "for ann")
    await hears(laptop, "for ann")
    await hears(other, "for bob")


async def test_messages_of_one_sender_arrive_in_the_order_sent(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    near, far = await connected(here, "news"), await connected(there, "news")
    sizes = random.Random(1)
    sent = [f"{number} {'x' * sizes.choice((0, 10, 900, 20_000))}" for number in range(1_500)]
    for text in sent:
        await here.broadcast(text, topic="news")
        if sizes.random() < 0.01:
            await asyncio.sleep(0)
    await hears(near, *sent)
    await hears(far, *sent)


async def test_both_directions_at_once_keep_the_order_of_each_sender(make_manager: MakeManager) -> None:
    managers = [make_manager(), make_manager(), make_manager()]
    peers = [await connected(each, "news") for each in managers]

    async def write(number: int) -> None:
        for count in range(300):
            await managers[number].broadcast(f"{number} {count}", topic="news")
            if count % 20 == 0:
                await asyncio.sleep(0)

    await asyncio.gather(*map(write, range(3)))
    for peer in peers:
        await eventually(lambda peer=peer: len(peer.got) == 900, DEADLINE, "all messages arrive")  # type: ignore[misc]
        for number in range(3):
            found = [text for text in peer.got if text.startswith(f"{number} ")]
            assert found == [f"{number} {count}" for count in range(300)]


async def test_equal_messages_are_not_merged(make_manager: MakeManager) -> None:
    """PostgreSQL sends equal notifications of a transaction once."""
    here, there = make_manager(), make_manager()
    await connected(here)
    peer = await connected(there)
    for _ in range(50):
        await here.broadcast("x" * 4_000)
    await hears(peer, *["x" * 4_000] * 50)


@pytest.mark.parametrize("length", [0, 1, 5_800, 5_900, 7_999, 8_000, texts.MAX_TEXT // 4])
async def test_messages_of_all_lengths_arrive(make_manager: MakeManager, length: int) -> None:
    here, there = make_manager(), make_manager()
    await connected(here)
    peer = await connected(there)
    text = "😀" * length
    await here.broadcast(text)
    await here.broadcast("the end")
    await hears(peer, text, "the end")


async def test_a_message_that_is_too_long_is_refused_and_reaches_no_client(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    near, far = await connected(here), await connected(there)
    with pytest.raises(ValueError, match="1,048,576 bytes"):
        await here.broadcast("x" * (texts.MAX_TEXT + 1))
    await here.broadcast("short")
    await hears(near, "short")
    await hears(far, "short")


async def test_names_keep_managers_on_one_server_apart(make_manager: MakeManager) -> None:
    here, there, other = make_manager(name="chat"), make_manager(name="chat"), make_manager(name="alerts")
    peers = [await connected(each, "a") for each in (here, there, other)]
    await here.broadcast("of the chat")
    await hears(peers[1], "of the chat")
    await other.broadcast("an alert", topic="a")
    await here.broadcast("in a", topic="a")
    await hears(peers[0], "of the chat", "in a")
    await hears(peers[1], "of the chat", "in a")
    await hears(peers[2], "an alert")
    assert bus_of(other).counts.received == 0
    assert bus_of(other).counts.ignored == 0


async def test_messages_with_another_secret_are_ignored_and_counted(
    make_manager: MakeManager, caplog: pytest.LogCaptureFixture
) -> None:
    ours = {"secret": "a secret of this application"}
    here, there = make_manager(**ours), make_manager(**ours)
    strangers = [make_manager(), make_manager(secret=b"a secret of another one")]
    near, far, unsigned, wrong = [await connected(each) for each in (here, there, *strangers)]
    for stranger in strangers:
        await stranger.broadcast("forged")
    await eventually(lambda: bus_of(here).counts.ignored >= 2, DEADLINE, "the forged messages are counted")
    await eventually(lambda: bus_of(there).counts.ignored >= 2, DEADLINE, "the forged messages are counted")
    await here.broadcast("true")
    await hears(far, "true")
    await hears(near, "true")
    await eventually(lambda: bus_of(strangers[0]).counts.ignored >= 2, DEADLINE, "signed messages are ignored, too")
    assert unsigned.got == wrong.got == ["forged"]
    warnings = [record for record in caplog.records if "Ignored a message" in record.message]
    assert len(warnings) == 4, "once for each manager"


async def test_rubbish_on_the_bus_harms_nothing(make_manager: MakeManager, bus: BusServer) -> None:
    manager, other = make_manager(), make_manager()
    peer = await connected(manager, "a")
    await connected(other)
    codec = texts.TextCodec("default", b"", "stranger")
    signed = [
        b"", b"{}\n", b"[]", b'{"node":1,"texts":[]}', b'{"node":"n","texts":[[1]]}',
        b'{"node":"n","texts":[["all",0,3,4]]}\nabcd', b'{"node":"n","texts":[["all",0,-1,-1]]}',
        b'{"node":"n","texts":[["all",0,9,9]]}\nshort', b'{"node":"n","texts":[["all",true,1,1]]}\na',
        b'{"node":"n","texts":[["all",0,2,2]]}\n\xff\xfe', b'{"node":"n","texts":[["all",0,99999999999,1]]}\na',
    ]  # fmt: skip
    rubbish = [b"", b"\0\xff", b"hubbub1 x\ny", *map(codec._signed, signed)]
    for payload in rubbish:
        TextBus._handle(bus_of(manager), payload)
    assert bus_of(manager).counts.ignored == len(rubbish)
    await other.broadcast("still here", topic="a")
    await hears(peer, "still here")


async def test_a_process_follows_a_topic_only_while_it_has_a_member(
    make_manager: MakeManager, bus: BusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.remote.LINGER", 0.05)
    monkeypatch.setattr("hubbub.bus.interest.LINGER", 0.05)
    here, there = make_manager(), make_manager()
    await connected(here)
    one, two = await connected(there, "a"), await connected(there, "a")
    found, topic = bus_of(there), texts.topic_id("a")
    assert topic in found._interest
    there.leave(one.socket, "a")
    there.disconnect(two.socket)
    await eventually(lambda: topic not in found._interest, DEADLINE, "the topic is left")
    if bus.kind == "nats":
        await eventually(lambda: topic not in found._subscriptions, DEADLINE, "NATS is told")  # type: ignore[attr-defined]
    before = found.counts.received
    await here.broadcast("to no member", topic="a")
    await here.broadcast("to all")
    await hears(one, "to all")
    assert bus.kind != "nats" or found.counts.received == before + 1
    await joins(there, one, "a")
    await here.broadcast("again", topic="a")
    await hears(one, "to all", "again")


async def test_a_member_that_returns_at_once_misses_nothing(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    await connected(here)
    peer = await connected(there, "a")
    there.leave(peer.socket, "a")
    there.join(peer.socket, "a")
    await here.broadcast("1", topic="a")
    await hears(peer, "1")


async def test_a_client_that_left_gets_nothing_from_other_processes(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    await connected(here)
    gone, stays = await connected(there, "a"), await connected(there, "a")
    there.disconnect(gone.socket)
    await here.broadcast("1", topic="a")
    await hears(stays, "1")
    await here.broadcast("2")
    await hears(stays, "1", "2")
    assert gone.got == []


async def test_a_slow_client_in_another_process_is_closed_and_others_get_everything(
    make_manager: MakeManager, bus: BusServer
) -> None:
    here = make_manager()
    there = ConnectionManager(bus=bus.address, outbox_bytes=20_000)
    await connected(here)
    slow, quick = await connected(there), await connected(there)
    slow.reads.clear()
    sent = [f"{number} {'x' * 1_000}" for number in range(100)]
    for number, text in enumerate(sent):
        await here.broadcast(text)
        if number % 10 == 0:
            await eventually(lambda: len(quick.got) >= number, DEADLINE, "the quick client reads")  # noqa: B023
    await hears(quick, *sent)
    await eventually(lambda: list(there.active_connections) == [quick.socket], DEADLINE, "the slow client is closed")
    slow.reads.set()
    await there.close()


async def test_what_is_sent_while_the_manager_connects_is_not_lost(make_manager: MakeManager) -> None:
    """A program that only publishes, such as a scheduled job."""
    here, there = make_manager(), make_manager()
    peer = await connected(there)
    for number in range(10):
        await here.broadcast(str(number))
    await here.close()
    await hears(peer, *map(str, range(10)))


async def test_after_close_the_next_broadcast_connects_again(make_manager: MakeManager) -> None:
    here, there = make_manager(), make_manager()
    near, far = await connected(here, "a"), await connected(there)
    await here.close()
    await here.close()
    assert not bus_of(here).connected
    await here.broadcast("1")
    await hears(far, "1")
    await hears(near, "1")
    await is_up(here)
    await there.broadcast("2", topic="a")
    await hears(near, "1", "2")


async def test_a_flood_is_bounded_and_counted_and_does_not_stop_the_loop(
    make_manager: MakeManager, bus: BusServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hubbub.bus.text_bus.MAX_WAITING", 100_000)
    here, there = make_manager(), make_manager()
    near, far = await connected(here), await connected(there)
    found = bus_of(here)
    for number in range(400):  # without a turn for the loop: a manager yields later
        found.send(texts.ALL, f"{number:04} {'x' * 1_000}".encode())
        assert found._size <= 100_000
    assert found.counts.dropped > 300
    assert len([one for one in caplog.records if "does not keep up" in one.message]) == 1
    kept = 400 - found.counts.dropped
    await eventually(lambda: len(far.got) == kept, DEADLINE, "what was kept arrives")
    assert [int(text[:4]) for text in far.got] == list(range(kept))
    await here.broadcast("after the flood")
    await hears(near, "after the flood")
    await eventually(lambda: far.got[-1] == "after the flood", DEADLINE, "the manager recovers")


async def test_a_loop_of_broadcasts_without_clients_loses_nothing(make_manager: MakeManager, bus: BusServer) -> None:
    """A task that awaits nothing else gives the bus its turns."""
    here, there = make_manager(), make_manager()
    peer = await connected(there)
    count = 30_000 if bus.kind == "nats" else 15_000
    for number in range(count):
        await here.broadcast(str(number))
    await eventually(lambda: len(peer.got) == count, DEADLINE, f"all messages arrive, not {len(peer.got)}")
    assert peer.got == list(map(str, range(count)))
    assert bus_of(here).counts.dropped == 0


async def test_while_the_bus_is_away_a_process_reaches_its_own_clients(
    make_manager: MakeManager, bus: BusServer, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = make_manager(), make_manager()
    near, far = await connected(here), await connected(there, "a")
    await here.broadcast("before")
    await hears(far, "before")
    for _ in range(2):
        connects = [bus_of(each).counts.connects for each in (here, there)]
        await asyncio.to_thread(bus.interrupt)
        if bus.kind == "nats":
            await eventually(lambda: bus_of(here)._away and bus_of(there)._away, DEADLINE, "both notice")
            dropped = bus_of(here).counts.dropped
            await here.broadcast("during")
            await eventually(lambda: near.got[-1] == "during", DEADLINE, "own clients hear it")
            assert bus_of(here).counts.dropped == dropped + 1
        await asyncio.to_thread(bus.restore)
        for each, before in zip((here, there), connects, strict=True):
            await eventually(lambda: bus_of(each).counts.connects > before, DEADLINE, "it reconnects")  # noqa: B023
            await is_up(each)
    await here.broadcast("after", topic="a")
    await eventually(lambda: far.got[-1] == "after", DEADLINE, "messages and topics are back")
    assert "during" not in far.got
    away = [one for one in caplog.records if "is away" in one.message]
    assert len(away) == 4, "once for each outage and manager"
    assert all(one.levelname == "WARNING" and "@" not in one.message for one in away)
    back = [one.message for one in caplog.records if "The bus is back" in one.message]
    assert len(back) == 4
    if bus.kind == "nats":
        assert any("1 broadcasts" in text for text in back)
