"""ARCHITECTURE.md lists the functions that handle a message's text. Each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADING = "## The way of a message's text\n"
STEP = re.compile(r"^- `([\w./-]+):([\w.]+)` – ", re.MULTILINE)
"""A line of the list: the path and the name of a function, a method or a component."""


def steps() -> list[tuple[str, str]]:
    section = (ROOT / "ARCHITECTURE.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    return STEP.findall(section)


def defined_in_python(source: str, name: str) -> bool:
    """Whether a module defines `function` or `Class.method`; a class attribute counts as a method."""
    body = ast.parse(source).body
    for part in name.split("."):
        found = [node for node in body if part in names(node)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def names(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def defined_in_web(source: str, name: str) -> bool:
    """Whether a file defines a function, a method or a snippet, or renders a component, of that name."""
    function = rf"\bfunction {name}\b|#snippet {name}\(|\b{name} = (?:async )?\("
    method = rf"^ +(?:private )?(?:async )?#?{name}\([^\n]*\{{$"
    component = rf"<{name}\b" if name[0].isupper() else r"(?!)"
    return re.search(f"{function}|{method}|{component}", source, re.MULTILINE) is not None


def exists(path: str, name: str) -> bool:
    file = ROOT / path
    if not file.is_file():
        return False
    return (defined_in_python if file.suffix == ".py" else defined_in_web)(file.read_text(), name)


def test_every_step_of_a_message_names_a_function_that_exists() -> None:
    found = steps()
    assert len(found) > 25, "almost no steps were found: nothing is checked"
    assert [f"{path}:{name}" for path, name in found if not exists(path, name)] == []


def test_the_way_of_a_message_goes_through_every_ring() -> None:
    rings = {"/".join(path.split("/")[:3]) for path, _ in steps()}
    expected = {f"src/hubbub/{ring}" for ring in ("gateways", "protocol", "engine", "features", "storage")}
    assert expected | {f"web/src/{ring}" for ring in ("features", "sync", "net", "state")} <= rings


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("src/hubbub/engine/journals.py", "Journal.enqueue"),
        ("src/hubbub/engine/journal.py", "Journal.enqueued"),
        ("src/hubbub/engine/journal.py", "enqueue"),
        ("web/src/state/reduce.ts", "reducer"),
        ("web/src/sync/machine.ts", "transmits"),
        ("web/src/features/messages/Lines.svelte", "SaidLines"),
    ],
)
def test_a_step_with_a_wrong_name_is_found(path: str, name: str) -> None:
    assert not exists(path, name)


PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|ts|svelte|md|sh|json|txt))?|[\w.-]+/[\w./-]+)`")
"""A file or a folder in backticks."""
BASES = ("", "src/hubbub", "tests", "web", "web/src")
CREATED = {".fonts", ".venv", "bench/out"}
"""Folders that commands create."""


def missing_paths(text: str) -> list[str]:
    """Return the paths in backticks that are neither in the repository nor below a folder of `BASES`."""
    named = {found for found in PATH.findall(text) if found.strip("/") not in CREATED}
    return sorted(found for found in named if not any((ROOT / base / found).exists() for base in BASES))


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_for_developers_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    assert len(PATH.findall(text)) > 10, "almost no paths were found: nothing is checked"
    assert missing_paths(text) == []


def test_a_file_that_does_not_exist_is_found() -> None:
    assert missing_paths("`storage/pins.py`, `storage/pin.py`, `docs/adr/`, `docs/ad/`") == [
        "docs/ad/",
        "storage/pin.py",
    ]
