"""Tests of the fault tests' tools: the checker, the proxy's frame splitter."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.checker import (
    Frame,
    History,
    Row,
    Stored,
    holes,
    leaks,
    memberships,
    same_history,
    unheard,
    violations,
)
from tests.support.convergence import RoomState
from tests.support.follower import TopicLog
from tests.support.proxy import ServerFrames

ROOM, AUTHOR, COUNT = 4, 7, 5
TOPIC = f"room:{ROOM}"


def event(seq: int) -> Frame:
    """Return the event of the message at that seq in the run of `right`."""
    n = seq - 2
    return {"topic": TOPIC, "seq": seq, "type": "message.sent", "by": AUTHOR, "n": n, "key": f"k{n}", "body": f"b{n}"}


def right() -> tuple[History, Stored]:
    """Return a run without a fault: five messages, all acknowledged, one observer."""
    history = History()
    rows = []
    for n in range(1, COUNT + 1):
        history.sending(ROOM, AUTHOR, f"k{n}", f"b{n}").acknowledge(n + 2)
        rows.append(Row(ROOM, n + 2, n, AUTHOR, f"k{n}", f"b{n}"))
    history.observe("observer", {TOPIC: [event(seq) for seq in range(3, COUNT + 3)]})
    return history, Stored(rows, {TOPIC: list(range(1, COUNT + 3))})


def lose(history: History, stored: Stored) -> None:
    del stored.messages[-1]


def move(history: History, stored: Stored) -> None:
    history.sends[1].seqs[0] += 1


def answer_twice_differently(history: History, stored: Stored) -> None:
    history.sends[1].acknowledge(6)


def change(history: History, stored: Stored) -> None:
    stored.messages[2] = dataclasses.replace(stored.messages[2], body="something else")


def store_twice(history: History, stored: Stored) -> None:
    stored.messages.append(dataclasses.replace(stored.messages[0], seq=8, n=6))


def store_twice_under_another_key(history: History, stored: Stored) -> None:
    stored.messages.append(dataclasses.replace(stored.messages[0], seq=8, n=6, key="k1-again"))


def invent(history: History, stored: Stored) -> None:
    stored.messages.append(Row(ROOM, 8, 6, AUTHOR, "k6", "b6"))


def skip(history: History, stored: Stored) -> None:
    history.observe("observer", {TOPIC: [event(3), event(5)]})


def swap(history: History, stored: Stored) -> None:
    history.observe("observer", {TOPIC: [event(4), event(3)]})


def repeat(history: History, stored: Stored) -> None:
    history.observe("observer", {TOPIC: [event(3), event(3)]})


def see_ghost(history: History, stored: Stored) -> None:
    history.observe("observer", {TOPIC: [event(7), event(8)]})


def see_other(history: History, stored: Stored) -> None:
    history.observe("observer", {TOPIC: [event(3) | {"body": "something else"}]})


def hide(history: History, stored: Stored) -> None:
    history.read(history.sends[0], "node 2", True)
    history.read(history.sends[1], "node 2", False)


def reverse_time(history: History, stored: Stored) -> None:
    first, second = history.sends[:2]
    first.sent_at = (second.acked_at or 0) + 1


def leave_gap(history: History, stored: Stored) -> None:
    stored.log[TOPIC].remove(2)


def leave_number_out(history: History, stored: Stored) -> None:
    stored.messages[-1] = dataclasses.replace(stored.messages[-1], n=9)


def reset(history: History, stored: Stored) -> None:
    history.observe("observer", {}, [{"type": "reset", "topic": TOPIC}])


BREAKS: dict[str, list[Callable[[History, Stored], None]]] = {
    "I1": [lose, move, answer_twice_differently, change],
    "I2": [store_twice, store_twice_under_another_key, invent],
    "I3": [skip, swap, repeat, see_ghost, see_other],
    "I4": [hide],
    "I5": [reverse_time],
    "I6": [leave_gap, leave_number_out],
    "observer received a reset": [reset],
}


def test_a_correct_run_has_no_violations() -> None:
    assert violations(*right()) == []


@pytest.mark.parametrize(
    ("sentence", "breaking"), [(sentence, breaking) for sentence, many in BREAKS.items() for breaking in many]
)
def test_the_checker_finds_each_violation(sentence: str, breaking: Callable[[History, Stored], None]) -> None:
    history, stored = right()
    breaking(history, stored)
    assert any(found.startswith(sentence) for found in violations(history, stored))


def test_the_checker_finds_events_leaked_to_or_missed_by_members() -> None:
    log: list[Frame] = [
        {"topic": TOPIC, "seq": 3, "type": "member.joined", "user": 9},
        {"topic": TOPIC, "seq": 4, "type": "message.sent"},
        {"topic": TOPIC, "seq": 5, "type": "member.removed", "user": 9},
        {"topic": TOPIC, "seq": 6, "type": "message.sent"},
        {"topic": TOPIC, "seq": 7, "type": "member.joined", "user": 9},
        {"topic": TOPIC, "seq": 8, "type": "message.sent"},
    ]
    assert memberships(log, 9) == [(3, 5), (7, float("inf"))]
    heard = [entry for entry in log if entry["seq"] != 6]
    assert not leaks(log, 9, heard)
    assert not unheard(log, 9, heard)
    assert len(leaks(log, 9, log)) == 1
    assert len(unheard(log, 9, log[:4])) == 1


def test_the_checker_compares_a_clients_events_with_the_history() -> None:
    history = [{key: value for key, value in event(seq).items() if key != "type"} for seq in (3, 4, 5)]
    assert not same_history([event(3), event(4), event(5)], history)
    assert not same_history([event(4), event(5)], history)
    assert same_history([event(3), event(4)], history)


@given(st.permutations(range(11, 31)), st.lists(st.integers(5, 30), max_size=10))
def test_a_topics_log_applies_each_event_once_and_in_order(order: list[int], again: list[int]) -> None:
    log = TopicLog(10)
    for seq in (*again, *order, *again):
        log.offer({"seq": seq})
    assert [applied["seq"] for applied in log.events] == list(range(11, 31))


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 50), min_size=1), st.booleans())
def test_frames_are_split_correctly_wherever_the_stream_is_cut(
    payloads: list[bytes], sizes: list[int], upgraded: bool
) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n" if upgraded else b"HTTP/1.1 200 OK\r\n\r\n"
    frames = [_frame(0x81, payload) for payload in payloads] + [_frame(0x8A, b"pong")]
    stream = head + b"".join(frames)
    cutter, pieces, at = ServerFrames(), [], 0
    while at < len(stream):
        size = sizes[at % len(sizes)]
        pieces += cutter.feed(stream[at : at + size])
        at += size
    assert b"".join(piece for piece, _ in pieces) == stream
    if upgraded:
        assert [payload for _, payload in pieces if payload is not None] == payloads
        assert [piece for piece, _ in pieces[1:]] == frames


def _frame(first: int, payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes([first, len(payload)]) + payload
    return bytes([first, 126]) + len(payload).to_bytes(2, "big") + payload


def test_a_message_that_is_missing_before_another_of_the_same_membership_is_a_hole() -> None:
    log: list[Frame] = [
        {"type": "member.joined", "user": 1, "seq": 1},
        *({"type": "message.sent", "seq": seq} for seq in (2, 3, 4)),
        {"type": "member.removed", "user": 1, "seq": 5},
        {"type": "message.sent", "seq": 6},
        {"type": "member.joined", "user": 1, "seq": 7},
        {"type": "message.sent", "seq": 8},
    ]
    assert holes(log, 1, [log[1], log[2]]) == []
    assert holes(log, 1, [log[2], log[7]]) == ["user 1 received 3 and not 2 of (1, 5)"]


def test_a_room_by_its_events_equals_a_snapshot_until_one_of_them_is_missing() -> None:
    who = {"by": AUTHOR, "emoji": "x", "message": 3}
    events: list[Frame] = [
        {"type": "member.joined", "seq": 2, "user": 9},
        event(3),
        {"type": "reaction.added", "seq": 4, **who},
        {"type": "reaction.added", "seq": 5, **who, "by": 9},
        {"type": "reaction.removed", "seq": 6, **who},
        {"type": "member.removed", "seq": 7, "user": 9},
    ]
    own: list[Frame] = [{"type": "room.read_moved", "read_seq": 3}]
    fresh = RoomState(7, {3: (1, AUTHOR, "k1", "b1")}, {AUTHOR}, 3, {3: {"x": {9}}})
    assert RoomState(1, {}, {AUTHOR}, 0).apply(events, own).differences(fresh, "here") == []
    for missing in (0, 1, 3, 4, 5):
        known = RoomState(1, {}, {AUTHOR}, 0).apply([*events[:missing], *events[missing + 1 :]], own)
        assert known.differences(fresh, "here") or missing == 0, f"without {events[missing]}"
    assert RoomState(1, {}, {AUTHOR}, 0).apply(events, []).differences(fresh, "here")
