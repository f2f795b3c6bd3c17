"""Admission control: which connections get a slot, and which are evicted."""

from collections.abc import Callable

from hubbub.gateways.websocket.admission import AdmissionControl, Slot


class RecordingControl:
    """An admission control, and the names of evicted connections, in order."""

    def __init__(self, idle_max: int | None = None, per_network: int | None = None) -> None:
        self.control = AdmissionControl(idle_max=idle_max, per_network=per_network)
        self.evicted: list[str] = []

    def acquire(self, network: str, name: str) -> Slot | None:
        return self.control.try_acquire(network, self._evictor(name))

    def _evictor(self, name: str) -> Callable[[], None]:
        return lambda: self.evicted.append(name)


def test_a_network_gets_no_more_than_its_share_until_it_releases_a_slot() -> None:
    recorded = RecordingControl(per_network=2)
    first = recorded.acquire("a", "a1")
    assert first is not None
    assert recorded.acquire("a", "a2") is not None
    assert recorded.acquire("a", "a3") is None
    assert recorded.acquire("b", "b1") is not None
    recorded.control.release(first)
    recorded.control.release(first)
    assert recorded.acquire("a", "a4") is not None
    assert recorded.acquire("a", "a5") is None
    assert recorded.control.count == 3


def test_a_full_control_evicts_the_oldest_slot_of_the_busiest_network() -> None:
    recorded = RecordingControl(idle_max=4)
    for network, name in (("b", "b1"), ("a", "a1"), ("a", "a2"), ("a", "a3")):
        assert recorded.acquire(network, name) is not None
    assert recorded.acquire("b", "b2") is not None
    assert recorded.acquire("c", "c1") is not None
    assert recorded.evicted == ["a1", "b1"] or recorded.evicted == ["a1", "a2"]
    assert recorded.control.evicted == 2
    assert recorded.control.count == 4


def test_a_newcomer_of_the_busiest_network_is_refused_by_a_full_control() -> None:
    recorded = RecordingControl(idle_max=3)
    for network, name in (("a", "a1"), ("a", "a2"), ("b", "b1")):
        assert recorded.acquire(network, name) is not None
    assert recorded.acquire("a", "a3") is None
    assert recorded.evicted == []


def test_a_newcomer_evicts_the_oldest_slot_if_every_network_has_one() -> None:
    recorded = RecordingControl(idle_max=3)
    for name in ("a", "b", "c"):
        assert recorded.acquire(name, name) is not None
    assert recorded.acquire("d", "d") is not None
    assert recorded.evicted == ["a"]


def test_a_busy_slot_is_never_evicted_and_does_not_count_as_idle() -> None:
    recorded = RecordingControl(idle_max=1)
    busy = recorded.acquire("a", "busy")
    assert busy is not None
    recorded.control.set_busy(busy)
    recorded.control.set_busy(busy)
    assert recorded.acquire("a", "idle") is not None
    assert recorded.acquire("b", "newcomer") is not None
    assert recorded.evicted == ["idle"]
    assert recorded.control.count == 2
    recorded.control.set_idle(busy)
    assert len(recorded.evicted) == 2, "two idle slots are one too many"


def test_an_evicted_slot_may_be_released_by_its_connection() -> None:
    recorded = RecordingControl(idle_max=1, per_network=1)
    slot = recorded.acquire("a", "a")
    assert slot is not None
    assert recorded.acquire("b", "b") is not None
    recorded.control.release(slot)
    recorded.control.set_idle(slot)
    recorded.control.set_busy(slot)
    assert recorded.control.count == 1
    assert recorded.acquire("a", "again") is not None


def test_making_room_for_a_trusted_proxy_evicts_a_slot_of_any_network() -> None:
    recorded = RecordingControl()
    assert not recorded.control.make_room(None)
    assert recorded.acquire("a", "a") is not None
    assert not recorded.control.make_room("a")
    assert recorded.control.make_room(None)
    assert recorded.evicted == ["a"]
    assert recorded.control.count == 0
