"""Migrations after `migrate.OLDEST` run while nodes with the tables of before are at work."""

import ast
from pathlib import Path

import pytest

from hubbub.storage import migrate

SCRIPTS = {path.name[:4]: path for path in sorted((migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))}
CREATES = {"create_table", "create_index", "add_column"}


def changes(path: Path) -> list[str]:
    """Return what a migration does beyond adding tables, indexes and columns that inserts can leave out."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("op", "batch")):
            continue
        given = {each.arg: ast.unparse(each.value) for each in node.keywords}
        column = [each for each in ast.walk(node) if isinstance(each, ast.keyword)]
        may_be_left_out = any(
            each.arg == "server_default" or (each.arg == "nullable" and ast.unparse(each.value) == "True")
            for each in column
        )
        if node.func.attr not in CREATES:
            found.append(f"{node.func.attr} changes what is there")
        elif node.func.attr == "create_index" and given.get("unique", "False") != "False":
            found.append("a unique index can refuse what an older node writes")
        elif node.func.attr == "add_column" and not may_be_left_out:
            found.append("an older node does not fill the new column: it needs a server_default or nullable=True")
    return found


def test_the_oldest_revision_that_runs_beside_this_version_is_one() -> None:
    assert migrate.OLDEST in SCRIPTS
    assert migrate.OLDEST <= migrate.HEAD


@pytest.mark.parametrize("revision", [*SCRIPTS, "none"])
def test_migrations_after_the_oldest_revision_only_add(revision: str) -> None:
    """`none` keeps this test when there are no such migrations."""
    later = {each: changes(path) for each, path in SCRIPTS.items() if each > migrate.OLDEST}
    assert not later.get(revision)


@pytest.mark.parametrize(
    ("revision", "adds"),
    [("0003", False), ("0005", False), ("0006", False), ("0010", True), ("0011", True), ("0012", True)],
)
def test_control_migrations_that_change_what_is_there_are_found(revision: str, adds: bool) -> None:
    assert (changes(SCRIPTS[revision]) == []) is adds
