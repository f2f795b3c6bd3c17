"""House rules of size: files, functions, parameters, components. The exceptions stand here, each with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS, MAX_COMPONENT = 300, 40, 6, 200

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "src/hubbub/storage/migrations/versions/0001_first.py::upgrade": "a migration is a list of statements",
}
MANY_PARAMETERS: dict[str, str] = {}
LONG_COMPONENTS: dict[str, str] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files() -> list[Path]:
    return [
        path for folder in ("src", "tests", "bench", "examples", "scripts") for path in (ROOT / folder).rglob("*.py")
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Every function of a file with its name, methods as `Class.method`."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{prefix}{child.name}", child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(ast.parse(path.read_text()), "")


def parameters(function: Function) -> int:
    """Those a caller may give; `self` and `cls` are not given."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([argument for argument in given if argument.arg not in ("self", "cls")])


def found_long_files(limit: int = MAX_FILE) -> set[str]:
    return {name_of(path) for path in python_files() if len(path.read_text().splitlines()) > limit}


def found_long_functions(limit: int = MAX_FUNCTION) -> set[str]:
    return {
        f"{name_of(path)}::{name}"
        for path in python_files()
        for name, function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > limit
    }


def found_many_parameters(limit: int = MAX_PARAMETERS) -> set[str]:
    return {
        f"{name_of(path)}::{name}"
        for path in python_files()
        for name, function in functions(path)
        if parameters(function) > limit
    }


def found_long_components(limit: int = MAX_COMPONENT) -> set[str]:
    return {
        name_of(path) for path in (ROOT / "web/src").rglob("*.svelte") if len(path.read_text().splitlines()) > limit
    }


@pytest.mark.parametrize(
    ("found", "excused"),
    [
        (found_long_files, LONG_FILES),
        (found_long_functions, LONG_FUNCTIONS),
        (found_many_parameters, MANY_PARAMETERS),
        (found_long_components, LONG_COMPONENTS),
    ],
)
def test_nothing_is_larger_than_the_house_allows_but_what_is_excused_by_name(
    found: object, excused: dict[str, str]
) -> None:
    assert callable(found)
    assert found() == set(excused), "too large and not excused, or excused and no longer too large"


def test_every_measure_finds_something_when_the_limit_is_low() -> None:
    for found in (found_long_files, found_long_functions, found_many_parameters, found_long_components):
        assert found(1), f"{found.__name__} finds nothing at all: it measures nothing"
