"""A failing member of the timer wheel or the fan-out does not affect the others."""

import asyncio
from collections.abc import Callable

import pytest

from hubbub.delivery import fanout
from hubbub.delivery.connections import Blob
from hubbub.delivery.fanout import Fanout
from hubbub.domain.disconnects import Disconnect
from hubbub.gateways.websocket import timer_wheel
from hubbub.gateways.websocket.timer_wheel import TimerWheel
from tests.manager.listener import Listener
from tests.support.waiting import eventually


class Member:
    """Count visits, and fail at each if told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.spoke = -1
        self.visits = 0
        self._fails = fails

    def visit(self, now: float) -> float | None:
        self.visits += 1
        if self._fails:
            raise RuntimeError("a bug")
        return 0.01


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer_wheel, "STEP", 0.01)
    monkeypatch.setattr(timer_wheel, "AGAIN", 0.02)


async def test_a_failing_visit_does_not_stop_the_timer_wheel() -> None:
    turning = TimerWheel(asyncio.get_running_loop().time)
    members = [Member(fails=number % 2 == 0) for number in range(20)]
    for member in members:
        turning.put(member, 0.01)
    await eventually(
        lambda: all(member.visits > 2 for member in members), 10, "all members are visited again and again"
    )
    for member in members:
        turning.remove(member)


class Broken(Listener):
    """A listener that cannot be written to and records that it was aborted."""

    ended: Disconnect | None = None

    def write(self, blob: Blob) -> None:
        raise RuntimeError("a bug")

    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        self.ended = why


def settle(registry: Fanout, broken: Broken) -> None:
    registry.send(broken, b"x")
    registry.broadcast(b"x", "room")


def broadcast(registry: Fanout, broken: Broken) -> None:
    registry.broadcast(b"x", "room")


@pytest.mark.parametrize("tell", [settle, broadcast])
@pytest.mark.parametrize("slice_", [2, 1_000], ids=["in a round", "at once"])
async def test_a_listener_that_fails_is_aborted_and_the_others_receive_everything(
    monkeypatch: pytest.MonkeyPatch, slice_: int, tell: Callable[[Fanout, Broken], None]
) -> None:
    monkeypatch.setattr(fanout, "SLICE", slice_)
    registry, broken = Fanout(), Broken()
    others = [Listener() for _ in range(9)]
    for listener in (*others[:4], broken, *others[4:]):
        registry.add(listener)
        registry.join(listener, "room")
    tell(registry, broken)
    await eventually(lambda: all(other.got == [b"x"] for other in others), 10, "the others receive the message")
    registry.broadcast(b"y", "room")
    await eventually(
        lambda: all(other.got == [b"x", b"y"] for other in others), 10, "the others receive the next message"
    )
    assert broken.ended is Disconnect.INTERNAL
    assert broken not in registry
