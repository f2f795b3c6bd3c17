"""docs/scaling.md has the tables and the figure that the program makes."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.scaling import report
from bench.scaling.__main__ import FIGURE, PAGE, begin, document, written
from bench.scaling.costs import SOURCES, default
from bench.scaling.population import Workload

from tests.support import depth

LONG = "scenarios"
"""The table that takes a quarter of a minute. `make prove` compares it in full, too."""
KEYS = 3
"""Columns of it that do not depend on how long is simulated."""


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


@pytest.mark.parametrize("name", [name for name in report.TABLES if name != LONG])
def test_a_table_is_what_the_program_prints(page: str, name: str) -> None:
    assert written(page, name) == report.tables(default(), Workload(), names=[name])[name]


def test_the_long_table_has_the_rows_that_the_program_prints(page: str) -> None:
    if depth.PROVING:
        assert written(page, LONG) == report.tables(default(), Workload(), names=[LONG])[LONG]
    found = report.tables(default(), Workload(), report.QUICK, [LONG])[LONG]
    assert _keys(written(page, LONG)) == _keys(found)


def _keys(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split(" | ")][:KEYS] for line in table.splitlines()]


def test_control_another_figure_on_the_page_is_noticed(page: str) -> None:
    table = written(page, "sizes")
    changed = page.replace(table, table.replace("5,000", "6,000"))
    assert written(changed, "sizes") != table
    assert document(changed, {"sizes": table}) == page
    with pytest.raises(ValueError, match="no place for the table costs"):
        written(page.replace(begin("costs"), ""), "costs")


def test_the_figure_is_what_the_program_draws() -> None:
    drawn = report.figure(default(), Workload())
    assert FIGURE.read_text() == drawn
    assert ElementTree.fromstring(drawn).get("role") == "img"


def test_every_input_has_a_source_and_an_uncertainty() -> None:
    assert all(source.where and source.spread > 1 for source in SOURCES.values())
    assert {source.kind for source in SOURCES.values()} == {"measured", "fitted", "assumed"}


def test_the_first_screen_says_what_a_company_of_five_thousand_needs(page: str) -> None:
    beginning = "\n".join(Path(PAGE).read_text().splitlines()[:25])
    assert "5,000" in beginning
    assert "two nodes" in beginning.lower()
