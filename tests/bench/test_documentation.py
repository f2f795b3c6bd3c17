"""Figures of a benchmark series in the documentation, and its charts."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from bench import document, plot
from bench.load import Phase
from bench.machine import Machine
from bench.report import as_json
from bench.server import Cpu
from bench.targets import TARGETS, verdicts
from bench.workloads import Measurement

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
LOADS = ["fan-out", *plot.LOADS]
SERVERS = ["nats-server", "Mosquitto", "hubbub ConnectionManager", "hubbub server"]


def series(*, factor: float = 1.0, without: str = "") -> dict[str, Any]:
    """Return two runs in which every target is met `factor` times as well as required."""
    samples = {}
    for target in (target for targets in TARGETS.values() for target in targets if target.name != without):
        limit = target.limit or target.later
        value = limit * factor if target.at_least else limit / factor
        samples[target.name] = [value, value]
    measurements = [
        (load, measurement(server, 1000.0 * rank)) for load in LOADS for rank, server in enumerate(SERVERS, 1)
    ]
    machine = Machine("a processor", 2, "6.0", "3.11", {"uvicorn": "1"}, 0.0, 0.1)
    found = as_json(machine, measurements, verdicts(set(TARGETS), samples), {"something else": [1.0]}, [])
    return found | {"series": {"runs": 2, "seconds": 1.0, "database": "SQLite"}}


def measurement(server: str, rate: float) -> Measurement:
    latency = {"p50": 1000.0, "p99": 9000.0, "p999": 20_000.0}
    raw = {"deliveries": 1, "seconds": 1.0, "deliveries_per_s": rate, "messages_per_s": rate, "delivery_us": latency}
    return Measurement(server, Phase(raw), Cpu(0.1, 0.1), 0.0, [])


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Copy the pages with markers from the repository."""
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/performance.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def test_a_series_replaces_only_the_text_between_the_markers(pages: Path) -> None:
    document.write(series(), pages)
    for name in ("README.md", "docs/performance.md"):
        before, after = (ROOT / name).read_text(), (pages / name).read_text()
        assert after.partition(document.BEGIN)[0] == before.partition(document.BEGIN)[0]
        assert after.partition(document.END)[2] == before.partition(document.END)[2]
        assert "Mosquitto" in after.partition(document.BEGIN)[2].partition(document.END)[0]
    written = (pages / "README.md").read_text()
    document.write(series(), pages)
    assert (pages / "README.md").read_text() == written


def test_a_series_on_postgresql_has_its_own_section(pages: Path) -> None:
    found = series(without="T7 storm")
    found["series"]["database"] = "postgresql"
    document.write(found, pages)
    before, after = (ROOT / "docs/performance.md").read_text(), (pages / "docs/performance.md").read_text()
    mark = document.BEGIN_POSTGRESQL
    assert after.partition(mark)[0] == before.partition(mark)[0]
    assert "postgresql" in after.partition(mark)[2].partition(document.END)[0]
    assert after.partition(mark)[2].partition(document.END)[2] == before.partition(mark)[2].partition(document.END)[2]


def test_an_incomplete_series_is_not_documented(pages: Path) -> None:
    before = (pages / "README.md").read_text()
    with pytest.raises(ValueError, match="not measured: T7 storm"):
        document.write(series(without="T7 storm"), pages)
    assert (pages / "README.md").read_text() == before


@pytest.mark.parametrize("name", ["fan-out.svg", "latency.svg", "targets.svg"])
@pytest.mark.parametrize("factor", [0.01, 0.9, 1.0, 30.0])
def test_a_chart_is_deterministic_and_describes_itself(name: str, factor: float) -> None:
    drawn = plot.charts(series(factor=factor))[name]
    assert drawn == plot.charts(series(factor=factor))[name]
    picture = ElementTree.fromstring(drawn)
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title")
    assert picture.findtext(f"{SVG}desc")
    assert "prefers-color-scheme:dark" in drawn
    width = float(str(picture.get("viewBox")).split()[2])
    places = [float(shape.get(side, 0)) for shape in picture.iter() for side in ("x", "x1", "x2", "cx")]
    assert min(places) >= 0
    assert max(places) <= width


def test_a_missed_target_is_reported_as_missed(pages: Path) -> None:
    document.write(series(factor=0.5), pages)
    assert (pages / "docs/performance.md").read_text().count("**missed**") == sum(
        target.limit is not None for targets in TARGETS.values() for target in targets
    )


def test_every_drawn_chart_is_on_the_page() -> None:
    page = document.figures(series())
    assert all(f"]({name})" in page for name in plot.charts(series()))
