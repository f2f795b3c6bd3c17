"""Read and write `matrix.txt`.

The file has a section for each kind of room and one for the site.
"""

import re
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).with_name("matrix.txt")
Row = dict[str, str]
Section = dict[str, Row]


def read(text: str) -> dict[str, Section]:
    """Return section → row → column → expected answer.

    Raises ValueError for a row with a cell too many or too few.
    """
    sections: dict[str, Section] = {}
    section: Section = {}
    columns: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("=="):
            section = sections[line.strip("= ")] = {}
            columns = []
            continue
        name, *rest = re.split(r"\s{2,}", line.strip(), maxsplit=1) if columns else ("", line)
        cells = rest[0].split()
        if not columns:
            columns = cells
        elif len(cells) != len(columns) or name in section:
            raise ValueError(f"{name}: {len(cells)} cells in {len(columns)} columns, or twice")
        else:
            section[name] = dict(zip(columns, cells, strict=True))
    return sections


def base(row: str) -> str:
    """Return a row's command or route without the qualifier in parentheses."""
    return row.partition(" (")[0]


def missing(things: Iterable[str], *sections: Section) -> set[str]:
    """Return the things that have no row in one of these sections."""
    there = [{base(row) for row in section} for section in sections]
    return {thing for thing in things if not all(thing in rows for rows in there)}


def write(matrix: dict[str, Section], seen: dict[str, dict[str, Section]]) -> None:
    """Write the answers into the file, in its order and below its introduction."""
    words = FILE.read_text().partition("==")[0]
    sections = []
    for name, rows in matrix.items():
        columns = list(next(iter(rows.values())))
        width = max(map(len, rows)) + 2
        lines = [f"== {name} ==", _line("", columns, width)]
        for row in rows:
            answers = seen["WebSocket"][name].get(row, {}) | seen["REST"][name].get(row, {})
            lines.append(_line(row, [answers.get(column, "-") for column in columns], width))
        sections.append("\n".join(lines) + "\n")
    FILE.write_text(words + "\n".join(sections))


def _line(row: str, cells: list[str], width: int) -> str:
    return f"{row:{width}}" + " ".join(f"{cell:10}" for cell in cells).rstrip()
