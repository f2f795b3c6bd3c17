"""The tables and the figure of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from math import log10

from bench.plot import LEFT, RIGHT, ROW, TOP, WIDTH, Drawing
from bench.scaling import costs as inputs
from bench.scaling import scenarios, sizing, validation
from bench.scaling.costs import Costs
from bench.scaling.population import Workload
from bench.scaling.sizing import CELLS, FEWER_HEADS, TODAY, Demand, Design, cells, needed

SIZES = (100, 1_000, 5_000, 10_000, 100_000, 1_000_000, 100_000_000)
SIMULATED = (5_000, 10_000, 100_000)
PLOTTED = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 400_000, 600_000, 1_000_000)
SENSITIVE = 100_000
TABLES = ("sizes", "parts", "limits", "scenarios", "hot room", "validation", "storm", "loads", "sensitivity", "costs")
SHOWN = ("CPU of the nodes", "CPU of PostgreSQL", "commits", "bus messages received", "p50, far", "p99, far")
HOT_RATES = (10, 50, 100, 200, 400)


@dataclass(frozen=True, slots=True)
class Depth:
    """Seconds that are simulated: in full for the page, shorter for a quick check of the program."""

    scenario: float
    load: float
    hot: float


FULL = Depth(20.0, 10.0, 5.0)
QUICK = Depth(4.0, 2.0, 1.0)


def tables(costs: Costs, work: Workload, depth: Depth = FULL, names: Sequence[str] = TABLES) -> dict[str, str]:
    """Return the tables in Markdown by name."""
    made: dict[str, Callable[[], str]] = {
        "sizes": lambda: sizes(costs, work),
        "parts": lambda: parts(costs, work),
        "limits": lambda: limits(costs, work),
        "scenarios": lambda: failures(costs, work, depth),
        "hot room": lambda: hot_rooms(costs, depth),
        "validation": lambda: validated(costs, depth),
        "storm": lambda: storm(costs),
        "loads": lambda: loads(costs, depth),
        "sensitivity": lambda: sensitivity(costs, work),
        "costs": lambda: _table(["What", "Value", "Kind", "Source", "Within"], inputs.table(costs)),
    }
    return {name: made[name]() for name in names}


def design_for(users: int, costs: Costs, work: Workload) -> tuple[Design, str]:
    """Return the first design that can carry a site, and its name."""
    if needed(users, costs, work) is not None:
        return TODAY, "today"
    if users <= 2_000_000 and needed(users, costs, work, FEWER_HEADS) is not None:
        return FEWER_HEADS, "to build: fewer heads"
    return CELLS, "to build: cells"


def sizes(costs: Costs, work: Workload) -> str:
    """What each size needs."""
    rows = []
    for users in SIZES:
        design, name = design_for(users, costs, work)
        found = needed(users, costs, work, design)
        assert found is not None
        count = cells(users, design)
        rows.append([
            f"{users:,}",
            name,
            f"{count * found.nodes:,}" + (f" ({count:,} × {found.nodes})" if count > 1 else ""),
            f"{found.users / found.nodes:,.0f}",
            f"{100 * found.busy:.0f} %",
            _bytes(found.memory),
            f"{count * found.shards:,}",
            f"{found.database / found.shards:.2f}",
            f"{count * found.wal / 1e6:,.2f} MB/s",
            f"{count * found.stored / 1e9:,.1f} GB",
            f"{count * found.nats_servers:,}",
            f"{count * (found.copies + found.published):,.0f} /s",
            f"{count * found.bus_bytes / 1e6:,.1f} MB/s",
        ])  # fmt: skip
    head = ["Connected users", "Design", "Nodes", "Users a node", "CPU of a node", "Memory of a node", "Databases",
            "Cores each uses", "WAL", "Stored a day", "NATS servers", "Bus messages", "Bus traffic"]  # fmt: skip
    return _table(head, rows)


def parts(costs: Costs, work: Workload) -> str:
    """What a node's core does."""
    names = ("commands", "writes", "bus", "heads", "presence", "rest")
    rows = []
    for users in SIZES[2:-1]:
        design, _ = design_for(users, costs, work)
        found = needed(users, costs, work, design)
        assert found is not None
        shares = [f"{100 * getattr(found, name):.1f} %" for name in names]
        rows.append(
            [f"{users:,}", str(found.nodes), *shares, f"{100 * found.index:.1f} %", f"{found.greeting_seconds:.0f} s"]
        )
    head = ["Connected users", "Nodes", "Commands and commits", "Writes to clients", "Bus", "Heads", "Presence", "Rest",
            "Search index (one node)", "CPU to greet the clients of a lost node"]  # fmt: skip
    return _table(head, rows)


LIMITS: dict[str, Callable[[Demand], bool]] = {
    "One NATS server: half of four cores": lambda found: found.nats > sizing.NATS_CORES / 2,
    "One PostgreSQL: half of 16 cores": lambda found: found.database > sizing.CORES / 2,
    "Search index: half of its node's core": lambda found: found.index > 0.5,
    "Interest tables of a NATS server: 8 GB": lambda found: found.nats_memory > 8e9,
    "Comparing heads while the bus is away: a quarter of a node": lambda found: found.outage > 0.25,
    "The same in PostgreSQL: half of 16 cores": lambda found: found.outage_database > sizing.CORES / 2,
    "Presence told by all nodes to all: a quarter of a core": lambda found: found.tables > 0.25,
    "Presence of all users on each node: 1 GB": lambda found: found.users * sizing.TABLE_MEMORY > 1e9,
}


def limits(costs: Costs, work: Workload) -> str:
    """At how many users each part becomes too small, with the nodes that so many users need."""
    rows = [[
        "Announcements of heads, N² a second: no number of nodes is enough",
        _about(sizing.largest(costs, work)),
        "yes",
    ]]  # fmt: skip
    for name, is_over in LIMITS.items():
        users, reached = 1_000.0, None
        while users < 20_000_000 and reached is None:
            found = needed(round(users), costs, work) or needed(round(users), costs, work, FEWER_HEADS)
            if found is None:
                break
            if is_over(found):
                reached = users
            users *= 1.05
        value = _about(reached) if reached else f"above {_about(users)}"
        rows.append([name, value, "yes" if reached and needed(round(reached), costs, work) else "with fewer heads"])
    most = sizing.largest(costs, work, FEWER_HEADS)
    rows.append(["With fewer heads, no number of nodes is enough", _about(most), "with fewer heads"])
    return _table(["Limit", "Connected users", "Reached today"], rows)


def failures(costs: Costs, work: Workload, depth: Depth) -> str:
    """What clients notice of a failure."""
    rows = []
    for users in SIMULATED:
        found = needed(users, costs, work)
        assert found is not None
        for name in scenarios.SCENARIOS:
            seen = scenarios.scenario(name, users, found.nodes, costs, work, depth.scenario)
            rows.append([
                f"{users:,}",
                f"{found.nodes}" + (f" ({seen.simulated} simulated)" if seen.simulated < found.nodes - 1 else ""),
                NAMES[name],
                f"{100 * seen.busy:.0f} %",
                _pair(seen.near),
                _pair(seen.far),
                _back(seen),
                str(seen.undelivered),
            ])  # fmt: skip
    head = ["Connected users", "Nodes", "What fails", "CPU of a node", "p50, p99 on the author's node",
            "p50, p99 on other nodes", "Back to normal", "Lost or repeated"]  # fmt: skip
    return _table(head, rows)


NAMES = {"calm": "nothing", "node": "a node dies", "bus": "the bus, 10 s", "database": "the database, 10 s"}


def _back(seen: scenarios.Outcome) -> str:
    if seen.scenario == "node":
        return f"all greeted after {seen.greeted:.0f} s"
    if seen.scenario == "database":
        return f"{seen.recovered:.1f} s after its return"
    return ""


def hot_rooms(costs: Costs, depth: Depth) -> str:
    """How much can be written in one room: its topic is locked by one transaction at a time."""
    rows = []
    for rate in HOT_RATES:
        for nodes in (1, 4):
            seen = scenarios.hot_room(costs, nodes, 1_000, rate, depth.hot)
            rows.append([f"{rate}/s", str(nodes), f"{100 * seen.busy:.0f} %", _pair(seen.near), _pair(seen.far)])
    head = ["Messages", "Nodes", "CPU of a node", "p50, p99 on the author's node", "p50, p99 on other nodes"]
    return _table(head, rows)


def validated(costs: Costs, depth: Depth) -> str:
    """How far the model is from real nodes."""
    rows = validation.summary(validation.compare(costs, depth.load))
    return _table(["Figure", "Nodes", "Median error", "All loads"], rows)


def storm(costs: Costs) -> str:
    """What happened when many clients connected at once."""
    return _rows(validation.storms(costs))


def loads(costs: Costs, depth: Depth) -> str:
    """Measured and predicted figures of all loads on two and three nodes."""
    return _rows(row for row in validation.compare(costs, depth.load, ("nodes2", "nodes3")) if row.what in SHOWN)


def _rows(rows: Sequence[validation.Row] | Iterator[validation.Row]) -> str:
    cells_ = [
        [row.load, str(row.nodes), f"{row.what}, {row.unit}", ", ".join(f"{each:.1f}" for each in row.measured),
         f"{row.predicted:.1f}", f"{100 * row.error:+.0f} %"]
        for row in rows
    ]  # fmt: skip
    return _table(["Load", "Nodes", "Figure", "Measured (two series)", "Predicted", "Error"], cells_)


def sensitivity(costs: Costs, work: Workload) -> str:
    """How the number of nodes, and the load of each, change with each input: half and twice its value."""
    base = needed(SENSITIVE, costs, work)
    assert base is not None
    changed: list[tuple[str, list[tuple[Costs, Workload]]]] = [
        (inputs.SOURCES[field.name].what, [(costs.scaled(field.name, by), work) for by in FACTORS])
        for field in fields(Costs)
    ]
    changed += [(f"workload: {name}", [(costs, each) for each in of(work)]) for name, of in WORKLOAD.items()]
    rows = []
    for name, both in changed:
        found = [needed(SENSITIVE, *each) for each in both]
        busy = [sizing.demand(SENSITIVE, base.nodes, *each).busy for each in both]
        rows.append((abs(busy[1] - busy[0]), name, found, busy))
    rows.sort(key=lambda row: (-row[0], row[1]))
    shown = [
        [
            name,
            *(f"{100 * each:.0f} %" for each in busy),
            *(str(each.nodes) if each else "not enough" for each in found),
        ]
        for change, name, found, busy in rows
        if change > 0.01 or {each and each.nodes for each in found} != {base.nodes}
    ]
    shown.append(
        [f"each of the other {len(rows) - len(shown)}", *[f"{100 * base.busy:.0f} %"] * 2, *[str(base.nodes)] * 2]
    )
    head = [
        "Input",
        f"CPU of each of {base.nodes} nodes at half of it",
        "at twice it",
        "Nodes needed at half",
        "at twice",
    ]
    return _table(head, shown)


FACTORS = (0.5, 2.0)
WORKLOAD: dict[str, Callable[[Workload], list[Workload]]] = {
    "messages per user": lambda work: [Workload(work.sends * by, work.reads, work.rooms) for by in (0.5, 2.0)],
    "read positions per user": lambda work: [Workload(work.sends, work.reads * by, work.rooms) for by in (0.5, 2.0)],
    "rooms per user": lambda work: [Workload(work.sends, work.reads, work.rooms * by) for by in (0.5, 2.0)],
}


def figure(costs: Costs, work: Workload) -> str:
    """Draw how many nodes a site needs today, and with fewer announcements of heads."""
    rows = [(users, needed(users, costs, work), needed(users, costs, work, FEWER_HEADS)) for users in PLOTTED]
    most = max(found.nodes for _, today, built in rows for found in (today, built) if found is not None)
    scale = (WIDTH - LEFT - RIGHT) / log10(most * 1.5)
    told = "; ".join(f"{users:,} users: {today.nodes if today else 'not possible'}" for users, today, _ in rows)
    drawing = Drawing("Nodes by connected users, busiest hour, one node may fail", told, len(rows))
    bottom = TOP + len(rows) * ROW
    for tick in (1, 2, 5, 10, 20, 50):
        if tick <= most:
            x = LEFT + scale * log10(tick * 1.2)
            drawing.line(x, TOP - 8, x, bottom, "grid")
            drawing.text(x, bottom + 14, f"{tick}", "small middle")
    for number, (users, today, built) in enumerate(rows):
        y = TOP + number * ROW
        drawing.text(LEFT - 10, y + 15, f"{users:,}", "end")
        chosen = today or built
        if chosen is None:
            continue
        width = scale * log10(chosen.nodes * 1.2)
        drawing.bar(LEFT, y, width, 20, "ours" if today else "missed")
        label = f"{today.nodes}" if today else f"{chosen.nodes}, with fewer heads"
        drawing.text(LEFT + width + 8, y + 15, label, "" if today else "small")
    drawing.text(12, bottom + 30, "Logarithmic. Red: not possible today.", "small")
    return drawing.svg()


def _pair(seconds: tuple[float, float]) -> str:
    return f"{_milliseconds(seconds[0])}, {_milliseconds(seconds[1])}" if seconds[1] else ""


def _milliseconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _about(value: float) -> str:
    """Return a number with two digits that mean something."""
    return f"{float(f'{value:.2g}'):,.0f}"


def _bytes(value: float) -> str:
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])
