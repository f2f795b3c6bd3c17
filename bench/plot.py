"""The plots in plain SVG, readable on light and dark pages.

The same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

Results = dict[str, Any]

WIDTH = 760
LEFT = 230  # where bars begin, after the names
RIGHT = 150  # space for the text after the longest bar
ROW = 30
TOP = 46
STYLE = """\
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}
.title{font-size:15px;font-weight:600}.small{font-size:11px;fill:#57606a}.end{text-anchor:end}.middle{text-anchor:middle}
.ours{fill:#0969da}.others{fill:#8c959f}.missed{fill:#cf222e}
.grid{stroke:#d0d7de}.spread{stroke:#24292f}.bound{stroke:#cf222e;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.ours{fill:#4493f8}.others{fill:#6e7681}
.missed{fill:#f85149}.grid{stroke:#3d444d}.spread{stroke:#e6edf3}.bound{stroke:#f85149}}"""


class Drawing:
    """Shapes in a box of fixed width; rows are counted from the top."""

    def __init__(self, title: str, description: str, rows: int) -> None:
        self._height = TOP + rows * ROW + 34
        self._title = title
        self._description = description
        self._shapes: list[str] = []
        self.text(12, 24, title, "title")

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        self._shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" rx="2" class="{kind}"/>'
        )

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{kind}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def svg(self) -> str:
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" role="img">'
        texts = f"<title>{escape(self._title)}</title><desc>{escape(self._description)}</desc>"
        return "\n".join([head, texts, f"<style>{STYLE}</style>", *self._shapes, "</svg>", ""])


def charts(results: Results) -> dict[str, str]:
    """Return all plots by file name."""
    return {"fan-out.svg": fan_out(results), "latency.svg": latency(results), "targets.svg": targets(results)}


def fan_out(results: Results) -> str:
    """Draw a bar per server: deliveries per second, with the lowest and highest run."""
    servers: dict[str, list[float]] = {}
    for measurement in _of(results, "fan-out"):
        servers.setdefault(measurement["server"], []).append(measurement["deliveries_per_s"])
    rows = sorted(servers.items(), key=lambda row: -median(row[1]))
    longest = max(max(values) for _, values in rows)
    scale = (WIDTH - LEFT - RIGHT) / longest
    description = "; ".join(f"{name} {median(values):,.0f}" for name, values in rows)
    drawing = Drawing("Deliveries per second to 1,000 readers, one CPU", description, len(rows))
    for number, (name, values) in enumerate(rows):
        y = TOP + number * ROW
        drawing.text(LEFT - 10, y + 15, name, "end")
        drawing.bar(LEFT, y, median(values) * scale, 20, _kind(name))
        drawing.line(LEFT + min(values) * scale, y + 10, LEFT + max(values) * scale, y + 10, "spread")
        drawing.text(LEFT + max(values) * scale + 8, y + 15, f"{median(values):,.0f}")
    note = "64 messages of 128 bytes in flight; the lines show the lowest and highest run."
    drawing.text(12, TOP + len(rows) * ROW + 20, note, "small")
    return drawing.svg()


LOADS = ["lone message", "100 x 5,000/s", "1,000 x 500/s", "1,000 x 1,000/s"]
BOUNDS = {"lone message": "T5 p99", "100 x 5,000/s": "T3 small", "1,000 x 500/s": "T3 large"}


def latency(results: Results) -> str:
    """Draw the latency from due to received: median, 99 % and 99.9 %, logarithmic."""
    rows = [(load, _percentiles(_of(results, load))) for load in LOADS if _of(results, load)]
    limits = {target["name"]: target["limit"] for target in results["targets"]}
    description = "; ".join(f"{load}: median {p[0]:.1f} ms, p99 {p[1]:.1f} ms, p99.9 {p[2]:.1f} ms" for load, p in rows)
    drawing = Drawing("Durable messages: from due to received", description, len(rows))

    longest = max(500.0, *(highest for _, (_, _, highest) in rows))

    def position(milliseconds: float) -> float:
        return LEFT + (WIDTH - LEFT - 40) * log10(max(milliseconds, 0.1) / 0.1) / log10(longest / 0.1)

    bottom = TOP + len(rows) * ROW
    for tick in (0.1, 1, 10, 100, 500):
        drawing.line(position(tick), TOP - 8, position(tick), bottom, "grid")
        drawing.text(position(tick), bottom + 14, f"{tick:g} ms", "small middle")
    for number, (load, (middle, high, highest)) in enumerate(rows):
        y = TOP + number * ROW + 10
        drawing.text(LEFT - 10, y + 5, load, "end")
        drawing.line(position(middle), y, position(highest), y, "spread")
        for value, radius in ((middle, 6.0), (high, 4.5), (highest, 3.0)):
            drawing.dot(position(value), y, radius, "ours")
        bound = limits.get(BOUNDS.get(load, ""))
        if bound is not None:
            drawing.line(position(bound), y - 11, position(bound), y + 11, "bound")
    note = "Dots: median, 99 %, 99.9 %. Red: the limit for 99 % in the first release."
    drawing.text(12, bottom + 30, note, "small")
    return drawing.svg()


def targets(results: Results) -> str:
    """Draw how many times better than required each target is; below 1 it is missed."""
    limited = [target for target in results["targets"] if target["limit"] is not None and target["samples"]]
    rows = [(target, _margin(target)) for target in limited]
    longest = max(2.0, *(margin for _, margin in rows))
    scale = (WIDTH - LEFT - RIGHT - 40) / log10(longest * 2)  # the axis starts at half of the required value
    description = "; ".join(f"{target['name']} {margin:.1f}" for target, margin in rows)
    drawing = Drawing("Targets of the first release: how many times better than required", description, len(rows))

    def position(margin: float) -> float:
        return LEFT + scale * log10(max(margin, 0.5) * 2)

    bottom = TOP + len(rows) * ROW
    for tick in (1, 2, 4, 8, 16):
        if tick <= longest * 1.2:
            drawing.line(position(tick), TOP - 8, position(tick), bottom, "grid")
            drawing.text(position(tick), bottom + 14, f"{tick} x", "small middle")
    for number, (target, margin) in enumerate(rows):
        y = TOP + number * ROW
        drawing.text(LEFT - 10, y + 15, target["name"], "end")
        begin, end = sorted((position(1), position(margin)))
        drawing.bar(begin, y, end - begin, 20, "ours" if margin >= 1 else "missed")
        value = f"{median(target['samples']):,.4g} {target['unit']}, required {target['asked']}"
        drawing.text(max(begin, end) + 8, y + 15, value, "small")
    return drawing.svg()


def _of(results: Results, workload: str) -> list[dict[str, Any]]:
    return [measurement for measurement in results["measurements"] if measurement["workload"] == workload]


def _percentiles(measurements: Sequence[dict[str, Any]]) -> tuple[float, float, float]:
    middle, high, highest = (
        median(measurement["delivery_us"][name] for measurement in measurements) / 1000
        for name in ("p50", "p99", "p999")
    )
    return middle, high, highest


def _margin(target: dict[str, Any]) -> float:
    ratio = median(target["samples"]) / target["limit"]
    return float(ratio if target["at_least"] else 1 / ratio)


def _kind(server: str) -> str:
    return "ours" if server.startswith("hubbub") else "others"
