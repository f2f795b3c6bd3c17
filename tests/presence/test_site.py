"""Presence over several nodes: it combines as over devices, heals, expires, and costs little."""

import random
from typing import Any

import pytest

from hubbub.domain.model import Status
from hubbub.domain.text import timestamp
from hubbub.engine import soft_table
from hubbub.engine.ephemeral import TOGETHER
from hubbub.engine.presence import GRACE, Presences
from hubbub.engine.soft_table import INTERVAL, SILENCE, STEP
from tests.presence.network import Network, SoftNode

ANNA, BERT = 1, 2
DND, INVISIBLE, ONLINE = (Status(status=each) for each in ("dnd", "invisible", "online"))


@pytest.fixture
def network() -> Network:
    return Network()


def pair(network: Network) -> tuple[SoftNode, SoftNode]:
    return network.add(), network.add()


def test_a_user_of_one_node_is_shown_on_the_others_within_a_second(network: Network) -> None:
    one, other, third = network.add(), network.add(), network.add()
    phone = one.enter(ANNA)
    network.run(1)
    assert other.sees(ANNA) == third.sees(ANNA) == ["online"]
    one.presences.idle(ANNA, phone, True)
    network.run(1)
    assert other.sees(ANNA) == ["away"]
    one.presences.chose(ANNA, Status(status="dnd", text="Lunch"), 2)
    network.run(1)
    assert (other.presences.of(ANNA).status, other.presences.of(ANNA).text) == ("dnd", "Lunch")
    one.presences.disconnected(ANNA, phone)
    network.run(GRACE - 1)
    assert other.sees(ANNA) == ["dnd"], "as after a reload"
    network.run(2)
    assert other.sees(ANNA) == ["offline"]


def test_devices_on_different_nodes_combine_like_devices_on_one_node() -> None:
    """The same random steps on one node and on three give the same presence."""
    shown: set[str] = set()
    for seed in range(40):
        shown |= _compare(random.Random(seed))
    assert shown == {"online", "away", "dnd", "offline"}, "each presence was compared"


def _compare(chance: random.Random) -> set[str]:
    network = Network()
    nodes = [network.add() for _ in range(3)]
    single = Presences(network.time.now, network.time.monotonic)
    devices: dict[Any, tuple[int, SoftNode]] = {}
    chosen = dict.fromkeys((ANNA, BERT), (ONLINE, 1))
    shown: set[str] = set()
    for _ in range(40):
        kind, user, node = chance.randrange(4), chance.choice((ANNA, BERT)), chance.choice(nodes)
        if kind == 0:
            device = node.enter(user, *chosen[user])
            single.expect(user, device)
            single.connected(user, device, *chosen[user])
            devices[device] = user, node
        elif kind == 1:
            status = chance.choice(("online", "away", "dnd", "invisible"))
            until = timestamp(network.time.now() + chance.randrange(1, 60) * 1_000) if chance.random() < 0.5 else None
            chosen[user] = Status(status=status, text="text", until=until), chosen[user][1] + 1
            for each in (*(each.presences for each in nodes if user in _users(devices, each)), single):
                each.chose(user, *chosen[user])
        elif devices:
            device = chance.choice(list(devices))
            user, node = devices[device]
            idle = chance.random() < 0.7
            for each in (node.presences, single):
                each.idle(user, device, idle) if kind == 2 else each.disconnected(user, device)
            if kind == 3:
                del devices[device]
        if chance.random() < 0.3:
            network.run(chance.choice((1.0, 20.0)))
        network.settle()
        for each in (*(node.presences for node in nodes), single):
            each.news()  # forgets those who are offline
        for user in (ANNA, BERT):
            for node in nodes:
                assert node.presences.of(user) == single.of(user)
                assert node.presences.is_hidden(user) == single.is_hidden(user)
            shown.add(single.of(user).status)
    return shown


def _users(devices: dict[Any, tuple[int, SoftNode]], node: SoftNode) -> set[int]:
    return {user for user, each in devices.values() if each is node}


def test_an_invisible_user_of_another_node_looks_offline_and_is_not_mentioned(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA, Status(status="invisible", text="hiding"))
    network.settle()
    assert other.presences.of(ANNA).model_dump(exclude_none=True) == {"user": ANNA, "status": "offline"}
    assert other.presences.is_hidden(ANNA)
    assert not other.presences.is_visible(ANNA)
    assert other.presences.elsewhere(1) == []
    one.presences.chose(ANNA, ONLINE, 2)
    network.settle()
    assert other.presences.is_visible(ANNA), "the control: a visible user of another node is seen"
    assert other.presences.elsewhere(1) == [ANNA]


def test_a_node_that_hears_of_invisibility_late_does_not_show_the_user(network: Network) -> None:
    """Anna is connected to both nodes; the second one has not read her newest status yet."""
    one, other, third = network.add(), network.add(), network.add()
    one.enter(ANNA)
    other.enter(ANNA)
    network.settle()
    one.presences.chose(ANNA, INVISIBLE, 2)
    network.settle()
    assert third.sees(ANNA) == ["offline"]
    network.heal()
    assert third.sees(ANNA) == ["offline"], "the older status in the other node's table changes nothing"


def test_a_lost_message_is_made_good_by_the_next_whole_table(network: Network) -> None:
    one, other = pair(network)
    stays, leaves = one.enter(ANNA), one.enter(BERT)
    network.settle()
    network.loses = lambda: True
    one.presences.idle(ANNA, stays, True)
    one.presences.disconnected(BERT, leaves)
    one.enter(3)
    network.run(1)
    network.loses = lambda: False
    assert other.sees(ANNA, BERT, 3) == ["online", "online", "offline"], "the control: the changes were lost"
    network.run(INTERVAL + GRACE + 1)
    assert other.sees(ANNA, BERT, 3) == ["away", "offline", "online"]


def test_tables_converge_while_a_third_of_the_messages_is_lost(network: Network) -> None:
    chance = random.Random(5)
    one, other = pair(network)
    network.loses = lambda: chance.random() < 0.3
    devices = {user: one.enter(user) for user in range(1, 2_001)}
    for _ in range(20):
        for user in chance.sample(sorted(devices), 50):
            one.presences.disconnected(user, devices.pop(user))
        network.run(1)
    network.loses = lambda: False
    network.heal()
    network.settle()
    assert {user for user in range(1, 2_001) if other.sees(user) == ["online"]} == set(devices)
    assert len(devices) == 1_000


def test_a_node_that_vanishes_makes_its_users_offline_within_45_seconds(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA)
    other.enter(BERT)
    network.run(INTERVAL + 1)
    network.kill(one)
    network.run(20)
    assert other.sees(ANNA, BERT) == ["online", "online"], "one missed table is not enough"
    network.run(25 - TOGETHER)
    assert other.sees(ANNA, BERT) == ["offline", "online"]
    assert SILENCE + STEP + GRACE + TOGETHER <= 45


def test_the_users_of_a_node_that_stays_are_online_for_ever(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA)
    for _ in range(60):
        network.run(10)
        assert other.sees(ANNA) == ["online"]


def test_control_without_whole_tables_the_users_of_a_living_node_go_offline(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soft_table, "INTERVAL", 1_000.0)
    one, other = pair(network)
    one.enter(ANNA)
    network.run(50)
    assert other.sees(ANNA) == ["offline"]


def test_the_users_of_a_node_that_leaves_have_the_usual_grace(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA)
    one.enter(BERT)
    network.settle()
    one.leave()
    network.kill(one)
    network.run(1)
    assert other.sees(ANNA, BERT) == ["online", "online"]
    other.enter(ANNA)  # continues on another node
    network.run(GRACE)
    assert other.sees(ANNA, BERT) == ["online", "offline"]


def test_a_new_node_knows_the_users_of_all_others_after_a_second(network: Network) -> None:
    one, other = pair(network)
    for user in range(1, 1_001):
        (one if user % 2 else other).enter(user)
    network.run(5)
    third = network.add()
    assert third.sees(1) == ["offline"]
    network.run(1)
    assert set(third.sees(*range(1, 1_001))) == {"online"}
    assert third.site.nodes() == ["node0", "node1"]


def test_a_node_that_was_cut_off_shows_its_own_users_alone_until_it_is_back(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA)
    other.enter(BERT)
    network.settle()
    one.bus.connected = False
    assert one.site.nodes() is None
    network.run(SILENCE + GRACE + 1)
    assert one.sees(ANNA, BERT) == ["online", "offline"]
    assert other.sees(ANNA, BERT) == ["offline", "online"]
    one.connect()
    network.run(1)
    assert one.sees(ANNA, BERT) == other.sees(ANNA, BERT) == ["online", "online"]


def test_a_node_that_stood_still_does_not_forget_the_others(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA)
    network.settle()
    network.time.seconds += 3 * SILENCE
    other.state.tick()
    assert other.sees(ANNA) == ["online"]
    network.kill(one)
    network.run(SILENCE + GRACE + 1)
    assert other.sees(ANNA) == ["offline"], "the control: silence counts from now on"


def test_after_a_new_epoch_the_tables_are_told_again(network: Network) -> None:
    one, other = pair(network)
    one.enter(ANNA, DND, 100)
    network.settle()
    for node in (one, other):
        node.presences.forget_choices()
        node.state.restart()
        node.bus.epoch = "second"
    one.presences.chose(ANNA, ONLINE, 3)
    network.run(1)
    assert other.sees(ANNA) == ["online"]
    one.bus.epoch = "third"
    one.presences.chose(ANNA, DND, 4)
    network.run(1)
    assert other.sees(ANNA) == ["online"], "another history says nothing"


def test_a_status_set_while_offline_reaches_the_nodes_that_watch(network: Network) -> None:
    one, other = pair(network)
    watcher = other.enter(BERT)
    other.presences.watch(watcher, [ANNA])
    one.hub.on_status(ANNA, Status(status="dnd", text="On the road"), 7)
    assert other.presences.of(ANNA).text == "On the road"
    one.hub.on_status(ANNA, ONLINE, 6)
    assert other.presences.of(ANNA).text == "On the road", "an older one is ignored"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"set": 1},
        {"set": [[]]},
        {"set": [["1", [0, 1, None, None]]]},
        {"set": [[-1, [0, 1, None, None]]]},
        {"set": [[ANNA, [0]]]},
        {"set": [[ANNA, [0, "x", None, None]]]},
        {"set": [[ANNA, [0, 1, {"status": "asleep"}, None]]]},
        {"set": [[ANNA, [0, 1, None, 5]]]},
        {"after": 5, "to": 1, "all": []},
        {"after": "", "to": 1, "all": []},
        {"after": 0, "to": 1, "all": {}},
        {"after": 0, "to": 1, "all": [1]},
    ],
)
def test_what_another_version_says_does_no_harm(network: Network, content: dict[str, Any]) -> None:
    one, other = pair(network)
    one.enter(BERT)
    network.settle()
    one.bus.signal("presence", content)
    assert other.sees(ANNA, BERT) == ["offline", "online"]
    assert ANNA not in other.presences._users
    one.enter(ANNA)
    network.run(1)
    assert other.sees(ANNA) == ["online"]


def test_traffic_depends_on_changes_not_on_rooms_or_time(network: Network) -> None:
    """2,000 users of one node, with ids as they are in a real site."""
    one, _ = pair(network)
    devices = {user: one.enter(user) for user in range(55_613_850_624_000, 55_613_850_624_000 + 3_000 * 2_000, 3_000)}
    network.settle()

    def cost(seconds: float) -> tuple[float, float]:
        before = network.messages, network.bytes
        network.run(seconds)
        return (network.messages - before[0]) / seconds, (network.bytes - before[1]) / seconds

    messages, size = cost(60)
    assert messages < 2
    assert size < 5_000
    chance = random.Random(1)
    before, seconds = (network.messages, network.bytes), 20
    for _ in range(seconds):
        for user in chance.sample(sorted(devices), 20):
            one.presences.idle(user, devices[user], chance.random() < 0.5)
        network.run(1)
    messages, size = (network.messages - before[0]) / seconds, (network.bytes - before[1]) / seconds
    assert messages < 12
    assert size < 7_000


def test_nothing_is_kept_of_users_and_nodes_that_are_gone(network: Network) -> None:
    one, other = pair(network)
    for user in range(1, 500):
        one.presences.disconnected(user, one.enter(user))
    visitor = network.add()
    visitor.enter(ANNA)
    network.settle()
    visitor.leave()
    network.kill(visitor)
    network.heal()
    for node in one, other:
        node.presences.news()
        assert not len(node.presences)
        assert not node.presences._elsewhere
        table = node.site._table
        assert not any((table._own, table._changed, table._round, *table._others.values()))
        assert len(table._heard) == len(table._known_to) == 1
