"""The page that says which test is about which class of mistakes names tests that there are, and all classes."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security-tests.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CLASSES = {*(f"A{n}" for n in range(1, 9)), *(f"B{n}" for n in (*range(9, 20), 41)),
           *(f"C{n}" for n in range(20, 30)), *(f"D{n}" for n in range(1, 4)),
           *(f"G{n}" for n in range(69, 74)), "H74", "H75"}  # fmt: skip


def rows(text: str) -> list[tuple[set[str], str]]:
    """The classes of each row, and the row."""
    lines = (line for line in text.splitlines() if re.match(r"\| [ABCDGH]\d", line))
    return [(set(re.findall(r"\b[ABCDGH]\d+\b", line.split("|")[1])), line) for line in lines]


def missing(text: str) -> list[str]:
    """Tests that are named and are not there, rows that name none, classes without a row."""
    gone = [f"{file}::{test}" for file, test in TEST.findall(text) if f"def {test}(" not in (ROOT / file).read_text()]
    bare = [line for _, line in rows(text) if not TEST.search(line) and "*not here*" not in line]
    return [*gone, *bare, *sorted(CLASSES - set().union(*(classes for classes, _ in rows(text))))]


def test_every_class_of_mistakes_has_its_tests() -> None:
    assert missing(PAGE.read_text()) == []


def test_control_what_is_not_there_is_found() -> None:
    text = PAGE.read_text().replace("test_old_messages_count", "test_young_messages_count")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("| C25 "))
    assert missing(text) == ["tests/bugs/test_newcomers.py::test_young_messages_count_for_no_newcomer", "C25"]
