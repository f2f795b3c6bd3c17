"""The scaling model against cases that can be computed by hand, with controls."""

from dataclasses import fields
from math import exp
from random import Random

import pytest
from bench.scaling import fit, sizing
from bench.scaling.costs import Costs, default
from bench.scaling.node import Node, Room
from bench.scaling.parts import Database, Process, Processor, Record
from bench.scaling.population import Choice, Workload, binomial, others, rooms_of, spread
from bench.scaling.scenarios import SCENARIOS, Outcome, scenario
from bench.scaling.simulation import Site
from simpy import Environment

WORK = Workload()


def free(**given: float) -> Costs:
    """Return costs of which all are 0 but the given ones."""
    return Costs(**{field.name: given.get(field.name, 0.0) for field in fields(Costs)})


def test_a_processor_alone_is_the_queue_of_the_textbook() -> None:
    """Poisson arrivals, equal work: the mean wait is load * work / 2 / (1 - load)."""
    env, chance, waits, work = Environment(), Random(3), Record(), 0.001
    processor = Processor(env)

    def arrive(load: float) -> Process:
        while True:
            yield env.timeout(chance.expovariate(load / work))
            env.process(serve(env.now))

    def serve(at: float) -> Process:
        yield from processor.run(work)
        waits.add(env.now - at - work)

    env.process(arrive(0.7))
    env.run(100)
    assert waits.mean == pytest.approx(0.7 * work / 2 / 0.3, rel=0.05)
    assert processor.used == pytest.approx(70, rel=0.02)


def test_the_writer_does_not_wait_for_what_queues_on_the_loop() -> None:
    env = Environment()
    processor, ended = Processor(env), []

    def run(name: str, *, writer: bool) -> Process:
        yield from processor.run(0.001, writer=writer)
        ended.append(name)

    for number in range(10):
        env.process(run(f"loop {number}", writer=False))
    env.process(run("writer", writer=True))
    env.run()
    assert ended[:3] == ["loop 0", "writer", "loop 1"]


@pytest.mark.parametrize("rate", [50.0, 500.0])
def test_a_batch_is_what_came_during_the_commit_before(rate: float) -> None:
    """max(1, Poisson(rate * seconds)) commands: rate * seconds + exp(-rate * seconds) on average."""
    seconds = 0.004
    site = Site(free(switch=seconds), 1, 1, has_bus=False)
    room = Room(1, 2, [2])
    site.start(0)
    site.env.process(site.talk([room], [1.0], [], rate, 0, 60))
    site.env.run(60)
    node = site.nodes[0]
    expected = rate * seconds + exp(-rate * seconds)
    # The transactions of the index have no command of a client.
    assert node.commands / (node.batches - 60 / 0.25) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(("rooms", "commits"), [((1, 1), 100), ((1, 2), 200)])
def test_transactions_of_one_room_wait_for_each_other_and_those_of_two_do_not(
    rooms: tuple[int, int], commits: int
) -> None:
    env = Environment()
    database = Database(env, free(switch=0.01), cores=2)

    def write(room: int) -> Process:
        while True:
            yield from database.transact([room], 1, 0)

    for room in rooms:
        env.process(write(room))
    env.run(1.001)
    assert database.commits == commits


def test_transactions_share_a_flush() -> None:
    env = Environment()
    database = Database(env, free(fsync=0.01), cores=16)

    def write(room: int) -> Process:
        yield env.timeout(0.001 * room)
        yield from database.transact([room], 1, 0)

    for room in range(5):
        env.process(write(room))
    env.run()
    assert database.commits == 5
    assert database.flushes == 2, "the first flush has the first, the second one all others"
    assert env.now == pytest.approx(0.02)


def small(name: str, seed: int = 1) -> Outcome:
    return scenario(name, 2_000, 3, default(), WORK, 16.0, seed=seed)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_accepted_command_reaches_every_recipient_once(name: str) -> None:
    found = small(name)
    assert found.undelivered == 0
    assert (found.refused > 0) == (name == "database")


def test_control_nodes_that_do_not_compare_lose_what_the_bus_did_not_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "compare", nothing)
    assert small("calm").undelivered == 0
    assert small("bus").undelivered > 0


def nothing(node: Node, *_: float) -> Process:
    yield node.site.env.timeout(0)


@pytest.mark.parametrize(("there", "pays"), [(0, False), (1, True)])
def test_a_node_without_members_of_a_room_pays_nothing(
    monkeypatch: pytest.MonkeyPatch, there: int, *, pays: bool
) -> None:
    """Nothing but announcements of heads, which all nodes get: they are off here."""
    monkeypatch.setattr(Node, "announce", nothing)
    site = Site(free(command=1e-4, write=1e-5, receive=1e-4, publish=1e-4), 2, 2)
    site.start(0)
    site.env.process(site.talk([Room(1, 5 + there, [5, there])], [1.0], [], 100, 0, 5))
    # The author may be the member there: only what is written on the first node counts.
    site.env.run(6)
    first, second = (node.processor.used for node in site.nodes)
    assert first > 0
    assert (second > 0) == pays
    assert bool(site.counts.bus) == pays


def test_announcements_of_heads_reach_all_nodes_whether_they_follow_the_room_or_not() -> None:
    site = Site(free(receive=1e-4), 3, 3)
    site.start(0)
    site.env.process(site.talk([Room(1, 5, [5, 0, 0])], [1.0], [], 1_000, 0, 2))
    site.env.run(2)
    assert site.counts.bus == pytest.approx(2 * 20 * 2, abs=4), "two other nodes, twenty times a second, two seconds"


def test_a_scenario_depends_on_its_seed_alone() -> None:
    assert small("node") == small("node")
    assert small("node") != small("node", seed=2)


def test_a_sample_of_a_site_agrees_with_the_whole_and_with_the_sums() -> None:
    users, nodes = 20_000, 6
    costs = default()
    whole, sample = (scenario("calm", users, nodes, costs, WORK, 15.0, whole=whole) for whole in (True, False))
    assert (whole.simulated, sample.simulated) == (6, 2)
    expected = sizing.demand(users, nodes, costs, WORK)
    for each in (whole, sample):
        assert each.busy == pytest.approx(expected.busy, rel=0.25)
        assert each.database == pytest.approx(expected.database, rel=0.15)
    assert sample.near[1] == pytest.approx(whole.near[1], rel=0.4)
    assert sample.far[1] == pytest.approx(whole.far[1], rel=0.4)


def test_rooms_hold_the_memberships_and_reach_the_nodes_that_chance_gives() -> None:
    rooms = rooms_of(50_000, WORK)
    assert rooms.memberships == pytest.approx(50_000 * WORK.rooms)
    assert sum(rooms.shares) == pytest.approx(1)
    assert max(rooms.sizes) > 100 * min(rooms.sizes)
    chance = Random(1)
    drawn = [len({chance.randrange(8) for _ in range(12)}) for _ in range(20_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(spread(12, 8), rel=0.01)
    assert others(1, 8) == 0
    assert others(10**6, 8) == pytest.approx(7)
    assert spread(5, 1) == 1


def test_draws_have_the_weights_and_means_that_were_given() -> None:
    chance = Random(1)
    choice = Choice([1, 0, 3], chance)
    found = [choice.draw() for _ in range(20_000)]
    assert found.count(1) == 0
    assert found.count(2) / len(found) == pytest.approx(0.75, abs=0.02)
    for count, share in ((10, 0.3), (1_000, 0.002), (5_000, 0.2)):
        drawn = [binomial(count, share, chance) for _ in range(5_000)]
        assert sum(drawn) / len(drawn) == pytest.approx(count * share, rel=0.05)


def test_the_fit_finds_the_costs_that_made_the_figures_and_none_below_zero() -> None:
    rows = [[1, 5, 100], [10, 10, 20], [3, 400, 0], [7, 1, 900]]
    assert fit.solve(rows, [sum(c * each for c, each in zip((2, 0.5, 0.01), row, strict=True)) for row in rows]) == (
        pytest.approx([2, 0.5, 0.01])
    )
    assert fit.solve([[1, 1], [1, 2]], [2, 1]) == pytest.approx([1.2, 0]), "a cost below zero is left out"


@pytest.fixture
def costs() -> Costs:
    return default()


def test_dearer_work_needs_more_nodes_and_too_much_work_cannot_be_carried(costs: Costs) -> None:
    base, dear = (sizing.needed(100_000, each, WORK) for each in (costs, costs.scaled("commit", 4)))
    assert base is not None
    assert dear is not None
    assert dear.nodes > base.nodes
    assert sizing.needed(10_000_000, costs, WORK) is None
    cell = sizing.needed(10_000_000, costs, WORK, sizing.CELLS)
    assert cell is not None
    assert cell.users == sizing.CELLS.cell
    assert sizing.cells(10_000_000, sizing.CELLS) == 50


def test_a_site_of_one_node_has_no_bus(costs: Costs) -> None:
    found = sizing.demand(10_000, 1, costs, WORK)
    assert (found.bus, found.heads, found.copies, found.nats, found.nats_servers) == (0, 0, 0, 0, 0)
