"""The order of a topic's entries: each passes once, after the one before it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from hubbub.delivery import order
from hubbub.delivery.order import Gap, Order
from hubbub.domain.events import Entry, MemberJoined

EVENT = MemberJoined(room=1, user=7, user_name="alice", by=7, name="alice")


def entry(seq: int, topic: str = "room:1") -> Entry:
    return Entry(topic, seq, EVENT, b"")


def seqs(entries: object) -> list[int]:
    return [each.seq for each in entries]  # type: ignore[attr-defined]


def test_entries_in_order_pass_at_once() -> None:
    found = Order(lambda _: True)
    assert [seqs(found.offer(entry(seq))) for seq in (5, 6, 7)] == [[5], [6], [7]]
    assert found.gaps() == []


def test_a_repeated_entry_is_dropped_and_counted() -> None:
    found = Order(lambda _: True)
    found.offer(entry(5))
    assert found.offer(entry(5)) == ()
    assert found.offer(entry(4)) == ()
    assert found.repeated == 2


def test_an_early_entry_waits_for_those_before_it() -> None:
    found = Order(lambda _: True)
    found.offer(entry(5))
    assert found.offer(entry(8)) == ()
    assert found.offer(entry(7)) == ()
    assert found.gaps() == [Gap("room:1", 5, 7)]
    assert seqs(found.offer(entry(6))) == [6, 7, 8]
    assert found.gaps() == []


def test_a_gap_that_the_log_cannot_fill_is_skipped() -> None:
    found = Order(lambda _: True)
    found.offer(entry(5))
    found.offer(entry(9))
    assert seqs(found.skip(Gap("room:1", 5, 9))) == [9]
    assert seqs(found.offer(entry(10))) == [10]


def test_topics_do_not_wait_for_each_other() -> None:
    found = Order(lambda _: True)
    for topic in ("room:1", "room:2"):
        found.offer(entry(1, topic))
    found.offer(entry(3, "room:1"))
    assert seqs(found.offer(entry(2, "room:2"))) == [2]


def test_what_is_held_back_for_a_topic_is_bounded() -> None:
    found = Order(lambda _: True)
    found.offer(entry(1))
    for seq in range(3, order.HELD_BACK + 100):
        found.offer(entry(seq))
    passed = seqs(found.offer(entry(2)))
    assert passed == list(range(2, order.HELD_BACK + 3)), "the first of them"
    assert found.gaps() == []
    assert found.offer(entry(order.HELD_BACK + 100)) == (), "the others are missing, and read from the log"
    assert found.gaps() == [Gap("room:1", order.HELD_BACK + 2, order.HELD_BACK + 100)]


def test_topics_without_subscribers_are_forgotten_after_two_generations_and_others_are_kept() -> None:
    found = Order(lambda topic: topic == "room:1")
    found.offer(entry(5))
    found.offer(entry(5, "room:2"))
    number = 3
    while found.generation < 1:
        found.offer(entry(1, f"room:{number}"))
        number += 1
    assert (found.last("room:1"), found.last("room:2")) == (5, 5)
    while found.generation < 2:
        found.offer(entry(1, f"room:{number}"))
        number += 1
    assert (found.last("room:1"), found.last("room:2")) == (5, None)
    assert number < 3 * order.REMEMBERED


def test_memory_is_bounded_with_many_followed_topics_and_forgetting_stays_rare() -> None:
    found = Order(lambda _: True)
    for number in range(10 * order.REMEMBERED):
        found.offer(entry(1, f"room:{number}"))
    assert found.generation <= 10


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_every_entry_passes_once_and_in_order_however_they_arrive(dice: random.Random, count: int) -> None:
    """Entries arrive late, twice or never; the log fills the gaps."""
    found = Order(lambda _: True)
    found.offer(entry(0))
    arriving = [seq for seq in range(1, count + 1) for _ in range(dice.choice((0, 1, 1, 2)))]
    dice.shuffle(arriving)
    passed: list[int] = []
    for seq in arriving:
        passed += seqs(found.offer(entry(seq)))
        if dice.random() < 0.3:
            for gap in found.gaps():
                for missing in range(gap.after + 1, gap.before):
                    passed += seqs(found.offer(entry(missing)))
    while gaps := found.gaps():
        for gap in gaps:
            for missing in range(gap.after + 1, gap.before):
                passed += seqs(found.offer(entry(missing)))
    assert passed == list(range(1, max(arriving, default=0) + 1))
