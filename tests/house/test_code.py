"""Rules about what code may not contain, checked in the syntax tree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
SECRETS = re.compile(r"(^|_)(token|secret|hash|signature|digest|password)s?$", re.IGNORECASE)
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "misc.py", "common.py"}

# Comparisons that look like secrets and are not, by file and code.
NOT_SECRET = {
    ("features/accounts.py", "command.seen_hash != account.password_hash"): "both values come from the database",
    ("features/sessions.py", "command.seen_hash != account.password_hash"): "both values come from the database",
    ("features/shared/guard.py", "digest != command.digest()"): "a digest of a text that the author knows",
}


def comparisons_of_secrets(tree: ast.AST) -> list[str]:
    """Return the source of every `==` or `!=` with the name of a secret on either side."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and any(_is_secret(side) for side in (node.left, *node.comparators))
        and not any(_is_column(side) for side in (node.left, *node.comparators))
    ]


def _is_secret(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return bool(SECRETS.search(name))


def _is_column(node: ast.expr) -> bool:
    """Return True for a column in a query, which the database compares."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "c"


def calls_of(tree: ast.AST, name: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src/hubbub").as_posix())
def test_a_source_file_neither_prints_nor_compares_secrets_with_equals(path: Path) -> None:
    tree = ast.parse(path.read_text())
    file = path.relative_to(ROOT / "src/hubbub").as_posix()
    assert calls_of(tree, "print") == []
    assert [code for code in comparisons_of_secrets(tree) if (file, code) not in NOT_SECRET] == []


def test_control_comparisons_of_secrets_are_detected() -> None:
    tree = ast.parse("a.token == b\nif x != stored_hash: pass\nc.token_hash is None\nlinks.c.token_hash == d\nn == 1")
    assert comparisons_of_secrets(tree) == ["a.token == b", "x != stored_hash"]


def test_every_exception_from_the_rule_is_still_needed() -> None:
    found = {
        (path.relative_to(ROOT / "src/hubbub").as_posix(), code)
        for path in SOURCES
        for code in comparisons_of_secrets(ast.parse(path.read_text()))
    }
    assert set(NOT_SECRET) <= found


def test_every_module_has_a_docstring() -> None:
    silent = [path for path in SOURCES if path.read_text() and ast.get_docstring(ast.parse(path.read_text())) is None]
    assert silent == []


def test_no_module_has_a_meaningless_name() -> None:
    assert [path for path in SOURCES if path.name in FORBIDDEN_NAMES] == []
