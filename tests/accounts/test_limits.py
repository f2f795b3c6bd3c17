"""Token buckets and the table of rate limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain.errors import RateLimited
from hubbub.engine.limits import MAX_BUCKETS, BucketTable, Limit, Limits
from hubbub.protocol.headers import network
from hubbub.protocol.ratelimit import Bucket
from tests.support.world import MovingClock


def test_a_bucket_allows_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=5, burst=20, now=0)
    assert [bucket.take(0) for _ in range(20)] == [0.0] * 20
    assert bucket.take(0) == pytest.approx(0.2)
    assert bucket.take(0.2) == 0
    assert bucket.take(0.2) > 0
    assert not bucket.is_full(3.9)
    assert bucket.is_full(4.3)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_a_bucket_never_allows_more_than_burst_and_rate(moments: list[float]) -> None:
    bucket = Bucket(rate=2, burst=5, now=0)
    taken = sum(bucket.take(moment) == 0 for moment in sorted(moments))
    assert taken <= 5 + 2 * max(moments) + 1e-6


def test_a_clock_that_goes_back_does_not_refill_a_bucket() -> None:
    bucket = Bucket(rate=1, burst=1, now=10)
    assert bucket.take(10) == 0
    assert bucket.take(0) > 0
    assert bucket.take(10.5) > 0


def test_a_full_bucket_table_evicts_the_least_recently_used_key() -> None:
    table = BucketTable(Limit(1, 1), most=3)
    for key in ("a", "b", "c"):
        assert table.take(key, 0) == 0
    assert table.take("a", 0) > 0
    table.take("d", 0)
    assert len(table) == 3
    assert table.take("a", 0) > 0
    assert table.take("b", 0) == 0


def test_the_bucket_table_stays_bounded_with_a_million_addresses() -> None:
    table = BucketTable(Limit(1, 1))
    for key in range(MAX_BUCKETS + 1_000):
        table.take(key, 0)
    assert len(table) == MAX_BUCKETS


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("198.51.100.7", "198.51.100.7"), ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:0:1::5", "2001:db8:0:1::"), ("2001:db8:0:1:ffff::9", "2001:db8:0:1::"), ("unix", "unix"),
    ],
)  # fmt: skip
def test_addresses_of_one_ipv6_network_share_a_bucket(address: str, same: str) -> None:
    assert network(address) == same


def test_attempts_refused_by_the_address_limit_do_not_use_up_the_accounts_limit() -> None:
    clock = MovingClock()
    limits = Limits(clock, enabled=True)
    for n in range(20):
        limits.login(f"user{n}", "198.51.100.7")
    for _ in range(10):
        with pytest.raises(RateLimited):
            limits.login("alice", "198.51.100.7")
    limits.login("alice", "198.51.100.8")


def test_one_user_can_create_thirty_rooms_at_once_and_then_one_every_ten_seconds() -> None:
    """The limit on room creation affects no other command and no other user."""
    clock = MovingClock()
    limits = Limits(clock, enabled=True)
    told = [limits.command(7, sending=False, founding=True) for _ in range(40)]
    assert told[:30] == [None] * 30
    assert all(wait is not None and wait > 1 for wait in told[30:])
    assert limits.command(7, sending=False) is None
    assert limits.command(8, sending=False, founding=True) is None
    clock.ahead = 10.1
    assert limits.command(7, sending=False, founding=True) is None
    assert limits.command(7, sending=False, founding=True) is not None


def test_disabled_limits_refuse_nothing() -> None:
    limits = Limits(MovingClock(), enabled=False)
    for _ in range(200):
        limits.login("alice", "198.51.100.7")
        limits.signup("198.51.100.7")
        limits.attempt("198.51.100.7")
        assert limits.command(7, sending=True) is None
