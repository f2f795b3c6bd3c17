"""Rate limits of a site: what clients can gain by using several nodes at once."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import pytest

from hubbub.domain.errors import RateLimited
from hubbub.engine.limits import (
    COMMANDS,
    DEBT,
    LOGINS_PER_ACCOUNT_IN_ALL,
    QUIET_BURST,
    QUIET_RATE,
    SENDS,
    Limits,
    account_key,
)
from hubbub.engine.shared_limits import KIND, MAX_KEYS, MAX_SIGNALS, MAX_WAITING, SharedLimits, digest
from tests.bus.conftest import MakeNode
from tests.bus.nodes import DEADLINE, Node
from tests.support.waiting import eventually
from tests.support.world import MovingClock

ACCOUNT = LOGINS_PER_ACCOUNT_IN_ALL
ADDRESSES = iter(f"198.18.{n // 250}.{n % 250}" for n in range(60_000))
"""Networks from which attempts come, so that only the limit of the account in all counts."""
MakeSite = Callable[..., Awaitable["Site"]]


class Site:
    """The limits of nodes on one bus, with a clock that tests move."""

    def __init__(self, nodes: list[Node], clock: MovingClock, *, share: bool) -> None:
        self.clock, self.nodes, self.share = clock, nodes, share
        self.limits = [Limits(clock, enabled=True, bus=node.bus if share else None) for node in nodes]
        self._rounds = 0

    async def settle(self) -> None:
        """Wait until all nodes have heard what the others have counted: a last token of each has arrived."""
        if not self.share:
            return
        self._rounds += 1
        names = [f"round-{self._rounds}-of-{number}" for number in range(len(self.limits))]
        for name, each in zip(names, self.limits, strict=True):
            each.login(name, next(ADDRESSES))
        for each in self.limits:
            for name in names:
                await eventually(lambda: knows(each, name), DEADLINE, "the counts arrive")  # noqa: B023

    def stop(self) -> None:
        for each in self.limits:
            each.stop()


def knows(limits: Limits, name: str) -> bool:
    return digest(account_key(name)) in limits._accounts_in_all._buckets


@pytest.fixture
async def make_site(make_node: MakeNode) -> Any:
    made: list[Site] = []

    async def make(count: int = 3, *, share: bool = True) -> Site:
        nodes = [await make_node() for _ in range(count)]
        made.append(Site(nodes, MovingClock(stands=True), share=share))
        return made[-1]

    yield make
    for site in made:
        site.stop()


def guess(limits: Limits) -> int:
    """Guess the password of an account until that is refused; return how often it was not."""
    for count in range(1_000):
        try:
            limits.login("alice", next(ADDRESSES))
        except RateLimited:
            return count
    raise AssertionError("nothing is refused")


async def guesses(site: Site, rounds: int, step: float) -> tuple[int, float]:
    """Guess on all nodes at once, at intervals; return the guesses that were not refused, and the seconds."""
    found = 0
    for _ in range(rounds):
        found += sum(map(guess, site.limits))
        await site.settle()
        site.clock.ahead += step
    return found, rounds * step


@pytest.mark.parametrize(("rounds", "step"), [(12, 60.0), (12, 12.0)])
async def test_guesses_do_not_multiply_by_the_number_of_nodes(make_site: MakeSite, rounds: int, step: float) -> None:
    """Bursts on all nodes after each refill, and single guesses: the worst patterns."""
    site = await make_site()
    found, seconds = await guesses(site, rounds, step)
    assert found <= len(site.limits) * ACCOUNT.burst + ACCOUNT.rate * seconds


async def test_control_without_signals_guesses_multiply(make_site: MakeSite) -> None:
    site = await make_site(share=False)
    found, seconds = await guesses(site, 12, 60.0)
    assert found > len(site.limits) * ACCOUNT.burst + ACCOUNT.rate * seconds


async def test_a_guess_locks_an_account_out_for_as_long_as_on_one_node(make_site: MakeSite) -> None:
    """Refused guesses lock out nothing, and each other one for the time that it takes to refill a token."""
    site = await make_site()
    found = sum(map(guess, site.limits))
    await site.settle()
    assert sum(map(guess, site.limits)) == 0
    for each in site.limits:
        with pytest.raises(RateLimited) as refused:
            each.login("alice", next(ADDRESSES))
        assert (refused.value.retry_after or 0) <= (found - ACCOUNT.burst + 1) / ACCOUNT.rate + 0.01
    site.clock.ahead += (found - ACCOUNT.burst + 1) / ACCOUNT.rate + 0.01
    for each in site.limits[:1]:
        each.login("alice", next(ADDRESSES))
        each.login("berta", next(ADDRESSES))


async def test_ten_nodes_lock_an_account_out_for_a_bounded_time(make_site: MakeSite) -> None:
    """What other nodes tell, however often, takes at most DEBT bursts."""
    site = await make_site(1)
    for _ in range(100):
        site.limits[0]._shared.hear("other", {"taken": [["accounts_in_all", digest("alice"), 1_000]]})  # type: ignore[union-attr]
    with pytest.raises(RateLimited) as refused:
        site.limits[0].login("alice", next(ADDRESSES))
    assert (refused.value.retry_after or 0) <= (DEBT * ACCOUNT.burst + 1) / ACCOUNT.rate


async def sent(site: Site, rate: float, seconds: int) -> int:
    """Let a user send on each node at a rate of its own; return how many messages passed."""
    found = 0
    for _ in range(seconds):
        for each in site.limits:
            found += sum(each.command(7, sending=True) is None for _ in range(round(rate)))
        await site.settle()
        site.clock.ahead += 1.0
    return found


SECONDS = 20


def most(nodes: int) -> float:
    quiet = nodes * (QUIET_BURST * SENDS.burst + QUIET_RATE * SENDS.rate * SECONDS)
    return nodes * SENDS.burst + SENDS.rate * SECONDS + quiet


async def test_a_user_of_several_nodes_may_not_send_several_times_as_much(make_site: MakeSite) -> None:
    site = await make_site(4)
    assert await sent(site, SENDS.rate, SECONDS) <= most(4)


async def test_control_without_signals_the_user_may(make_site: MakeSite) -> None:
    site = await make_site(4, share=False)
    assert await sent(site, SENDS.rate, SECONDS) > most(4)


async def test_users_far_from_their_limits_cost_no_signal(make_site: MakeSite) -> None:
    site = await make_site(2)
    waiting: list[tuple[str, Hashable]] = []
    for each in site.limits:
        assert each._shared is not None
        each._shared.taken = lambda table, key: waiting.append((table, key))  # type: ignore[method-assign]
    for _ in range(60):
        for each in site.limits:
            for user in range(100):
                assert each.command(user, sending=True) is None
                assert each.command(user, sending=False) is None
        site.clock.ahead += 1 / (QUIET_RATE * SENDS.rate)
    assert waiting == []
    for _ in range(COMMANDS.burst):
        site.limits[0].command(7, sending=False)
    assert set(waiting) == {("commands", 7)}, "the control: near the limit"


class Sent:
    """Counts what a node sends."""

    def __init__(self, node: Node) -> None:
        self.signals: list[int] = []
        signal = node.bus.signal

        def counted(kind: str, content: Any, topic: str | None = None) -> None:
            if kind == KIND:
                self.signals.append(len(content["taken"]))
            signal(kind, content, topic)

        node.bus.signal = counted  # type: ignore[method-assign]


async def test_what_waits_and_what_is_sent_is_bounded_and_most_tokens_go_first(make_site: MakeSite) -> None:
    site = await make_site(2)
    seen, shared = Sent(site.nodes[0]), site.limits[0]._shared
    assert shared is not None
    for number in range(2 * MAX_WAITING):
        shared.taken("addresses", digest(str(number)))
    for _ in range(5):
        shared.taken("addresses", digest(str(MAX_WAITING - 1)))
    assert len(shared._waiting) == MAX_WAITING
    await eventually(lambda: seen.signals, DEADLINE, "a report")
    assert seen.signals[:MAX_SIGNALS] == [MAX_KEYS] * MAX_SIGNALS
    heard = site.limits[1]._addresses._buckets
    await eventually(lambda: digest(str(MAX_WAITING - 1)) in heard, DEADLINE, "the key with most tokens is first")
    assert len(heard) <= len(seen.signals) * MAX_KEYS
    await eventually(lambda: not shared._waiting, DEADLINE, "all is sent")
    assert sum(seen.signals) == MAX_WAITING
    assert shared._timer is None, "nothing is sent any more"


async def test_reports_of_a_busy_node_are_few(make_site: MakeSite) -> None:
    site = await make_site(2)
    seen = Sent(site.nodes[0])
    for round_ in range(200):
        site.limits[0].attempt(f"203.0.113.{round_}")
        await site.nodes[0].read(lambda connection: None)
    await site.settle()
    assert len(seen.signals) <= 200 / 4


@pytest.mark.parametrize(
    "content",
    [
        {}, {"taken": None}, {"taken": [["accounts", "alice", 1]]}, {"taken": [["accounts", digest("a"), 0]]},
        {"taken": [["accounts", digest("a"), 1.5]]}, {"taken": [["accounts", digest("a"), 2**40]]},
        {"taken": [["accounts", True, 1]]}, {"taken": [["sends", -1, 1]]}, {"taken": [["sends", 2**60, 1]]},
        {"taken": [["sends", 1]]}, {"taken": [["sends", 1, 1]] * (MAX_KEYS + 1)}, {"taken": [7]},
        {"taken": [["sends", 1, 1], [[], 1, 1]]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["nats"])  # the bus takes no part in this
async def test_a_signal_that_does_not_fit_counts_for_nothing(make_site: MakeSite, content: Any) -> None:
    site = await make_site(1)
    shared = site.limits[0]._shared
    assert isinstance(shared, SharedLimits)
    with pytest.raises((LookupError, TypeError, ValueError)):
        shared.hear("other", content)
    assert len(site.limits[0]._accounts) == len(site.limits[0]._sends) == 0


async def test_a_table_of_a_later_version_is_ignored(make_site: MakeSite) -> None:
    site = await make_site(1)
    shared = site.limits[0]._shared
    assert shared is not None
    shared.hear("other", {"taken": [["later", 7, 1], ["sends", 7, 1]]})
    assert len(site.limits[0]._sends) == 1


def test_a_site_of_one_process_shares_nothing() -> None:
    limits = Limits(MovingClock(), enabled=True)
    assert limits._shared is None
    limits.login("alice", "198.51.100.7")
    assert list(limits._accounts_in_all._buckets) == ["alice"]
