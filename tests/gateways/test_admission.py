"""Who gets a place, and who gives way: the rules by themselves."""

from collections.abc import Callable

from hubbub.gateways.websocket.admission import AdmissionControl, Slot


class Entrance:
    """An admission control, and who had to give way, in order."""

    def __init__(self, idle_max: int | None = None, per_network: int | None = None) -> None:
        self.control = AdmissionControl(idle_max=idle_max, per_network=per_network)
        self.evicted: list[str] = []

    def acquire(self, network: str, name: str) -> Slot | None:
        return self.control.try_acquire(network, self._evictor(name))

    def _evictor(self, name: str) -> Callable[[], None]:
        return lambda: self.evicted.append(name)


def test_network_gets_no_more_than_its_share_until_it_releases_a_slot() -> None:
    entrance = Entrance(per_network=2)
    first = entrance.acquire("a", "a1")
    assert first is not None
    assert entrance.acquire("a", "a2") is not None
    assert entrance.acquire("a", "a3") is None
    assert entrance.acquire("b", "b1") is not None
    entrance.control.release(first)
    entrance.control.release(first)
    assert entrance.acquire("a", "a4") is not None
    assert entrance.acquire("a", "a5") is None
    assert entrance.control.count == 3


def test_full_control_evicts_the_oldest_slot_of_the_busiest_network() -> None:
    entrance = Entrance(idle_max=4)
    for network, name in (("b", "b1"), ("a", "a1"), ("a", "a2"), ("a", "a3")):
        assert entrance.acquire(network, name) is not None
    assert entrance.acquire("b", "b2") is not None
    assert entrance.acquire("c", "c1") is not None
    assert entrance.evicted == ["a1", "b1"] or entrance.evicted == ["a1", "a2"]
    assert entrance.control.evicted == 2
    assert entrance.control.count == 4


def test_newcomer_of_the_busiest_network_is_refused_by_a_full_control() -> None:
    entrance = Entrance(idle_max=3)
    for network, name in (("a", "a1"), ("a", "a2"), ("b", "b1")):
        assert entrance.acquire(network, name) is not None
    assert entrance.acquire("a", "a3") is None
    assert entrance.evicted == []


def test_newcomer_gets_a_place_when_every_network_has_one() -> None:
    entrance = Entrance(idle_max=3)
    for name in ("a", "b", "c"):
        assert entrance.acquire(name, name) is not None
    assert entrance.acquire("d", "d") is not None
    assert entrance.evicted == ["a"]


def test_busy_slot_is_never_evicted_and_takes_no_idle_place() -> None:
    entrance = Entrance(idle_max=1)
    busy = entrance.acquire("a", "busy")
    assert busy is not None
    entrance.control.set_busy(busy)
    entrance.control.set_busy(busy)
    assert entrance.acquire("a", "idle") is not None
    assert entrance.acquire("b", "newcomer") is not None
    assert entrance.evicted == ["idle"]
    assert entrance.control.count == 2
    entrance.control.set_idle(busy)
    assert len(entrance.evicted) == 2, "two idle slots are one too many"


def test_evicted_slot_may_be_released_by_its_connection() -> None:
    entrance = Entrance(idle_max=1, per_network=1)
    slot = entrance.acquire("a", "a")
    assert slot is not None
    assert entrance.acquire("b", "b") is not None
    entrance.control.release(slot)
    entrance.control.set_idle(slot)
    entrance.control.set_busy(slot)
    assert entrance.control.count == 1
    assert entrance.acquire("a", "again") is not None


def test_room_for_a_trusted_proxy_is_made_by_any_network() -> None:
    entrance = Entrance()
    assert not entrance.control.make_room(None)
    assert entrance.acquire("a", "a") is not None
    assert not entrance.control.make_room("a")
    assert entrance.control.make_room(None)
    assert entrance.evicted == ["a"]
    assert entrance.control.count == 0
