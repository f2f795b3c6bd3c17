"""Print the tables of docs/scaling.md, and write them into the page with `--document`.

`python -m bench.scaling [--document] [TABLE ...]`
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from bench.scaling import costs, report
from bench.scaling.population import Workload

ROOT = Path(__file__).resolve().parents[2]
PAGE, FIGURE = ROOT / "docs/scaling.md", ROOT / "docs/scaling.svg"
END = "<!-- /table -->"


def begin(name: str) -> str:
    return f"<!-- table {name}: written by `python -m bench.scaling --document` -->"


def written(page: str, name: str) -> str:
    """Return a table as it is on the page. Raises ValueError if it has no place there."""
    found = re.search(re.escape(begin(name)) + r"\n\n(.*?)\n\n" + re.escape(END), page, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no place for the table {name}")
    return found[1]


def document(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with new tables."""
    for name, text in tables.items():
        page = page.replace(f"{begin(name)}\n\n{written(page, name)}\n\n{END}", f"{begin(name)}\n\n{text}\n\n{END}")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument(
        "tables", nargs="*", choices=[*report.TABLES, []], metavar="TABLE", help=", ".join(report.TABLES)
    )
    parser.add_argument("--document", action="store_true", help="write the tables and the figure into docs/")
    chosen = parser.parse_args()
    found = report.tables(costs.default(), Workload(), report.FULL, chosen.tables or report.TABLES)
    for name, text in found.items():
        print(f"{name}\n\n{text}\n")
    if chosen.document:
        PAGE.write_text(document(PAGE.read_text(), found))
        FIGURE.write_text(report.figure(costs.default(), Workload()))


if __name__ == "__main__":
    main()
