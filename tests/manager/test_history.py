"""The last messages of a topic, and resuming after one of them."""

import json
import random
from typing import Any

import pytest
from pydantic import BaseModel

from hubbub import ConnectionManager
from hubbub.gateways.manager import history
from hubbub.gateways.manager.history import History
from hubbub.gateways.manager.manager import MAX_HISTORY
from hubbub.gateways.manager.payloads import encode
from tests.manager.peer import Peer


@pytest.fixture
def manager() -> ConnectionManager:
    return ConnectionManager(history=5)


async def entered(manager: ConnectionManager) -> Peer:
    peer = Peer()
    await manager.connect(peer.socket)
    return peer


def numbers(peer: Peer) -> list[int]:
    return [json.loads(text)["n"] for text in peer.got]


async def send(manager: ConnectionManager, *numbers: int, topic: str = "a") -> None:
    for number in numbers:
        await manager.broadcast({"n": number}, topic=topic)


async def test_a_client_that_resumes_gets_exactly_what_it_missed_and_then_what_comes(
    manager: ConnectionManager,
) -> None:
    first, second = await entered(manager), await entered(manager)
    assert manager.join(first.socket, "a")
    await send(manager, 1, 2)
    await manager.drained()
    last = json.loads(first.got[-1])["id"]
    manager.disconnect(first.socket)
    await send(manager, 3, 4)
    assert manager.join(second.socket, "a", since=last) is True
    await send(manager, 5)
    await manager.drained()
    assert numbers(second) == [3, 4, 5]
    assert manager.join(second.socket, "a", since=last) is True, "nothing is sent twice"
    await manager.drained()
    assert numbers(second) == [3, 4, 5]


async def test_resuming_at_any_moment_leaves_no_gap_and_repeats_nothing() -> None:
    """Leave and join again at random, also in the turn of the loop in which messages are sent."""
    manager, chance = ConnectionManager(history=1_000), random.Random(7)
    peer, witness = await entered(manager), await entered(manager)
    manager.join(witness.socket, "a")
    manager.join(peer.socket, "a", since="")
    sent = 0
    for _ in range(300):
        match chance.randrange(4):
            case 0:
                await manager.drained()
            case 1:
                manager.leave(peer.socket, "a")
                await manager.drained()
                last = json.loads(peer.got[-1])["id"] if peer.got else ""
                assert manager.join(peer.socket, "a", since=last)
            case _:
                sent += 1
                await send(manager, sent)
    manager.leave(peer.socket, "a")
    await manager.drained()
    manager.join(peer.socket, "a", since=json.loads(peer.got[-1])["id"])
    await manager.drained()
    assert numbers(peer) == numbers(witness) == list(range(1, sent + 1))


async def test_an_unknown_or_too_old_id_gets_the_last_messages_and_false(manager: ConnectionManager) -> None:
    witness = await entered(manager)
    manager.join(witness.socket, "a")
    await send(manager, *range(10))
    await manager.drained()
    ids = [json.loads(text)["id"] for text in witness.got]
    epoch = ids[0].partition("-")[0]
    unknown = [
        ids[0],
        ids[3],
        "x",
        "-",
        f"{epoch}-11",
        f"{epoch}-",
        f"{epoch}-٣",
        f"{epoch}--1",
        f"0{ids[9]}",
        "9" * 99,
    ]
    for since in unknown:
        peer = await entered(manager)
        assert manager.join(peer.socket, "a", since=since) is False
        await manager.drained()
        assert numbers(peer) == [5, 6, 7, 8, 9]
    for since, wanted in ((ids[4], [5, 6, 7, 8, 9]), (ids[8], [9]), (ids[9], []), ("", [5, 6, 7, 8, 9])):
        peer = await entered(manager)
        assert manager.join(peer.socket, "a", since=since) is True
        await manager.drained()
        assert numbers(peer) == wanted
    peer = await entered(manager)
    assert manager.join(peer.socket, "a", since=17) is False  # type: ignore[arg-type]
    assert manager.join(peer.socket, "b", since=ids[0]) is True, "nothing was ever sent to this topic"


async def test_an_id_is_good_for_all_topics(manager: ConnectionManager) -> None:
    witness, peer = await entered(manager), await entered(manager)
    for topic in "ab":
        manager.join(witness.socket, topic)
    await send(manager, 1, topic="a")
    await send(manager, 2, topic="b")
    await manager.drained()
    last = json.loads(witness.got[-1])["id"]
    await send(manager, 3, topic="a")
    await send(manager, 4, topic="b")
    for topic in "ab":
        assert manager.join(peer.socket, topic, since=last)
    await manager.drained()
    assert numbers(peer) == [3, 4]


async def test_objects_get_an_id_and_other_messages_stay_as_they_are(manager: ConnectionManager) -> None:
    class Item(BaseModel):
        n: int

    peer = await entered(manager)
    manager.join(peer.socket, "a")
    for message in ({"n": 1}, Item(n=2), {}, [3], "4", '{"n":5}'):
        await manager.broadcast(message, topic="a")
    await manager.broadcast({"n": 6})
    await manager.send_personal_message({"n": 7}, peer.socket)
    await manager.drained()
    objects = [json.loads(text) for text in peer.got[:3]]
    assert [{**each, "id": ""} for each in objects] == [{"id": "", "n": 1}, {"id": "", "n": 2}, {"id": ""}]
    assert len({each["id"] for each in objects}) == 3
    assert peer.got[3:] == ["[3]", "4", '{"n":5}', '{"n":6}', '{"n":7}']
    taken: list[dict[str, Any]] = [{"id": None}, {"n": 1, "id": 5}]
    for fields in taken:
        with pytest.raises(ValueError, match="Put it into another object"):
            await manager.broadcast(fields, topic="a")
    await manager.broadcast({"id": 1})


async def test_users_that_were_excluded_do_not_get_the_message_later(manager: ConnectionManager) -> None:
    await manager.broadcast({"n": 1}, topic="a", exclude="ann")
    await manager.broadcast({"n": 2}, topic="a")
    for user, wanted in (("ann", [2]), ("bob", [1, 2]), (None, [1, 2])):
        peer = Peer()
        await manager.connect(peer.socket, user=user)
        manager.join(peer.socket, "a", since="")
        await manager.drained()
        assert numbers(peer) == wanted


async def test_a_manager_without_a_history_refuses_since_and_changes_no_object() -> None:
    manager = ConnectionManager()
    peer = await entered(manager)
    with pytest.raises(ValueError, match="since needs"):
        manager.join(peer.socket, "a", since="")
    manager.join(peer.socket, "a")
    await manager.broadcast({"n": 1}, topic="a")
    await manager.drained()
    assert peer.got == ['{"n":1}']


@pytest.mark.parametrize("length", [-1, MAX_HISTORY + 1])
def test_a_history_of_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="at most 100,000 messages"):
        ConnectionManager(history=length)
    ConnectionManager(history=MAX_HISTORY)


def test_a_history_is_bounded_in_messages_in_bytes_and_in_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "TOPIC_BYTES", 10_000)
    monkeypatch.setattr(history, "TOTAL_BYTES", 50_000)
    kept = History(20)
    first = kept.add("first", encode({"n": 0})).value["id"]
    for number in range(2_000):
        kept.add(number % 100, encode("x" * (number % 3_000)))
        assert kept.size <= 50_000
        assert kept.size == sum(topic.size for topic in kept._topics.values())
        assert all(len(topic.kept) <= 20 and topic.size <= 10_000 for topic in kept._topics.values())
    assert kept.since("first", first) == ([], False), "it was forgotten"
    assert kept.since("new", first) == ([], False), "it may have been forgotten"
    last = kept.add("last", encode({"n": 1})).value["id"]
    assert kept.since("new", last) == ([], True)
    kept.add("last", encode("y" * 20_000))
    assert kept.since("last", last) == ([], False), "a message that is too large is not kept"


def test_a_shared_history_knows_what_was_sent_while_its_process_listened() -> None:
    kept = History(20, shared=True)
    before = kept.add("other", encode({"n": 0})).value["id"]
    assert kept.since("a", before) == ([], False)
    kept.begin("a")
    assert kept.since("a", before) == ([], False), "others may have sent before"
    first = kept.add("a", encode({"n": 1})).value["id"]
    second = kept.add("a", encode({"n": 2}))
    assert [each.payload for each in kept.since("a", first)[0]] == [second]
    kept.end("a")
    assert kept.since("a", first) == ([], False)
    kept.begin("a")
    assert kept.since("a", first) == ([], False)
    assert kept.since("a", second.value["id"]) == ([], False), "others may have sent meanwhile"
    assert kept.size == sum(topic.size for topic in kept._topics.values())


async def test_control_a_history_that_forgets_that_it_forgot_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history.TopicHistory, "drop_oldest", _drop_without_a_floor)
    with pytest.raises(AssertionError):
        await test_an_unknown_or_too_old_id_gets_the_last_messages_and_false(ConnectionManager(history=5))


def _drop_without_a_floor(self: history.TopicHistory) -> None:
    oldest = self.kept.popleft()
    self.size -= len(oldest.payload.data) + history.OVERHEAD
