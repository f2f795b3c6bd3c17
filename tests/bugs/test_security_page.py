"""docs/security-tests.md names existing tests and covers all classes."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security-tests.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CLASSES = {*(f"A{n}" for n in range(1, 9)), *(f"B{n}" for n in (*range(9, 20), 41)),
           *(f"C{n}" for n in range(20, 30)), *(f"D{n}" for n in range(1, 10)),
           *(f"E{n}" for n in range(49, 55)), *(f"G{n}" for n in range(69, 74)), "H74", "H75"}  # fmt: skip


def rows(text: str) -> list[tuple[set[str], str]]:
    """Return the classes of each row, and the row."""
    lines = (line for line in text.splitlines() if re.match(r"\| [A-EGH]\d", line))
    return [(set(re.findall(r"\b[A-EGH]\d+\b", line.split("|")[1])), line) for line in lines]


def missing(text: str) -> list[str]:
    """Return missing tests, rows that name no test, and classes without a row."""
    gone = [f"{file}::{test}" for file, test in TEST.findall(text) if f"def {test}(" not in (ROOT / file).read_text()]
    bare = [line for _, line in rows(text) if not TEST.search(line) and "_not here_" not in line]
    return [*gone, *bare, *sorted(CLASSES - set().union(*(classes for classes, _ in rows(text))))]


def test_every_vulnerability_class_has_a_test() -> None:
    assert missing(PAGE.read_text()) == []


def test_control_missing_tests_and_classes_are_detected() -> None:
    text = PAGE.read_text().replace("test_hidden_rooms_appear_nowhere", "test_hidden_rooms_appear_somewhere")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("| C23 "))
    assert missing(text) == [
        "tests/bugs/test_hidden_rooms.py::test_hidden_rooms_appear_somewhere_for_users_who_may_not_know_of_them",
        "C23",
    ]
