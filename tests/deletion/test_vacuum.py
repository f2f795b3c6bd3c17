"""VACUUM removes the copies of deleted text that SQLite leaves in unused space."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hubbub.storage import migrate
from hubbub.storage.database import Database

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
STATEMENTS = "PRAGMA journal_mode=DELETE; VACUUM"
MARK = b"kingfisher-nine"
HEADER = 8
"""Bytes of the header of a leaf page (https://www.sqlite.org/fileformat2.html#b_tree_pages)."""


def leave_a_copy(file: Path, table: str) -> None:
    """Write MARK between the cells of a table's page and its cell pointers, as a moved row may be left."""
    with closing(sqlite3.connect(file)) as database:
        root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
        size = database.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(file.read_bytes())
    start = (root - 1) * size
    cells, cells_start = (int.from_bytes(content[start + at : start + at + 2]) for at in (3, 5))
    gap = start + HEADER + 2 * cells
    assert gap + len(MARK) < start + cells_start, "there must be unused space in the page"
    content[gap : gap + len(MARK)] = MARK
    file.write_bytes(content)


def test_the_documented_vacuum_removes_copies_in_unused_space(tmp_path: Path) -> None:
    file = tmp_path / "hubbub.db"
    with closing(Database(f"sqlite:///{file}")) as database:
        migrate.upgrade(database, epoch="first", now=1_790_000_000_000)
    leave_a_copy(file, "meta")
    with closing(sqlite3.connect(file)) as after_damage:
        assert after_damage.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert MARK in file.read_bytes()
    assert f"'{STATEMENTS}'" in DOCS.read_text()
    with closing(sqlite3.connect(file, isolation_level=None)) as stopped:
        for statement in STATEMENTS.split(";"):
            stopped.execute(statement)
    assert all(MARK not in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
