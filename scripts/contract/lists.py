"""The lists of all commands, events and models: the unions of the wire, and what each package exports.

They are written as source text, so that type checkers see them. The definitions are read as syntax
trees and not imported: while a list names a class that is gone, nothing of Hubbub can be imported.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "src/hubbub/domain"
WIDTH = 120
NOTE = "Written by `make contract` from the definitions. Do not edit."
EXPORTS = {
    "commands": f"""\
\"""All commands.

{NOTE}
One definition feeds validation, REST, the wire and their references.

A command names the topics it will write (`topics`), so that the journal can lock them before a
handler reads. Clients may send commands that have a wire name (`type`). The gateways build the
other commands from requests that carry secrets, so that only the hash of a password or a token
reaches the journal.
\"""
""",
    "events": f"""\
\"""All events. Each is an entry of a topic's log; the journal assigns its position.

{NOTE}
On the wire an event is one flat object: ``{{"topic", "seq", "type", "at", …its own fields}}``.
\"""
""",
    "model": f"""\
\"""The models clients see, and the actor of a command.

{NOTE}
\"""
""",
}
"""The packages that export the public names of their modules, with the docstring of the package."""
BESIDE = {"commands": {"examples"}}
"""Modules that are imported by their own name."""
ORDER = {
    "commands": ("messages", "reactions", "rooms", "members", "reads", "presence"),
    "events": ("messages", "reactions", "members", "rooms", "reads", "presence", "sessions"),
}
"""The modules in the order of the documentation. Others follow in alphabetical order."""


@dataclass(frozen=True)
class Class:
    """A class of a package, in the order of its definition."""

    name: str
    module: str
    bases: tuple[str, ...]
    """The names of all classes it is derived from."""
    assigned: frozenset[str]
    """The names that its own body assigns or annotates."""


@dataclass(frozen=True)
class Union:
    """A union and the classes it consists of."""

    name: str
    doc: str
    has: Callable[[Class], bool]


UNIONS = {
    "commands": (
        Union(
            "AnyWireCommand", "Commands with a wire name.", lambda of: "Command" in of.bases and "type" in of.assigned
        ),
        Union(
            "AnyStaffCommand",
            "Commands that staff sends over REST, but not over WebSocket: they have a route and no wire name.",
            lambda of: "Command" in of.bases and "rest" in of.assigned and "type" not in of.assigned,
        ),
        Union("AnySignal", "Signals, which are not stored.", lambda of: "Signal" in of.bases and "type" in of.assigned),
    ),
    "events": (
        Union(
            "ClientEvent",
            "Events that clients see.",
            lambda of: "type" in of.assigned and "Event" in of.bases and "SecurityEvent" not in of.bases,
        ),
        Union(
            "InternalEvent",
            "Events that only servers see.",
            lambda of: "type" in of.assigned and "SecurityEvent" in of.bases,
        ),
    ),
}


def files(root: Path) -> dict[str, str]:
    """Return the text of every list by its path in the repository."""
    unions = {f"{DOMAIN}/{package}/unions.py": _unions(root, package) for package in UNIONS}
    return {**unions, **{f"{DOMAIN}/{package}/__init__.py": _exports(root, package) for package in EXPORTS}}


def _unions(root: Path, package: str) -> str:
    classes = _classes(_modules(root, package))
    found = {union: [each for each in classes if union.has(each)] for union in UNIONS[package]}
    imported: dict[str, list[str]] = {}
    for each in (each for members in found.values() for each in members):
        imported.setdefault(each.module, []).append(each.name)
    what = ", ".join(f"`{union.name}`" for union in found)
    text = f'"""The unions of all {package}: {what}.\n\n{NOTE}\n"""\n\n'
    return text + _imports(package, imported) + "\n" + "".join(_union(*item) for item in found.items())


def _union(union: Union, members: Sequence[Class]) -> str:
    names = [each.name for each in members]
    line = f"{union.name} = {' | '.join(names)}"
    if len(line) > WIDTH:  # as Ruff breaks it
        within = f"    {' | '.join(names)}"
        if len(within) > WIDTH:
            within = "    " + "\n    | ".join(names)
        line = f"{union.name} = (\n{within}\n)"
    return f'{line}\n"""{union.doc}"""\n'


def _exports(root: Path, package: str) -> str:
    modules = _modules(root, package)
    exported = {name: list(_public(tree)) for name, tree in modules.items() if name not in BESIDE.get(package, ())}
    if package in UNIONS:
        exported["unions"] = [union.name for union in UNIONS[package]]
    names = [name for found in exported.values() for name in found]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"Two modules of {DOMAIN}/{package} define {', '.join(sorted(twice))}. Rename one.")
    everything = "".join(f'    "{name}",\n' for name in sorted(names, key=lambda name: (*_kind(name), name)))
    return f"{EXPORTS[package]}\n{_imports(package, exported)}\n__all__ = [\n{everything}]\n"


def _imports(package: str, names: Mapping[str, Iterable[str]]) -> str:
    """Return the import statements in the order that Ruff wants."""
    lines: list[str] = []
    for module, found in sorted(names.items()):
        inner = (f"    {name}," for name in sorted(found, key=lambda name: (*_kind(name), name.lower())))
        lines += [f"from hubbub.domain.{package}.{module} import (", *inner, ")"] if found else []
    return "".join(f"{line}\n" for line in lines)


def _kind(name: str) -> tuple[bool, bool]:
    """Return the first part of a name's sort key: constants, then classes, then functions."""
    return not name.isupper(), not name[0].isupper()


def _modules(root: Path, package: str) -> dict[str, ast.Module]:
    """Return the syntax tree of each module that is written by hand, in the order of the documentation."""
    first = ORDER.get(package, ())
    written = [path for path in (root / DOMAIN / package).glob("*.py") if path.stem not in ("__init__", "unions")]
    rank = {name: number for number, name in enumerate(first)}
    written.sort(key=lambda path: (rank.get(path.stem, len(first)), path.stem))
    return {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in written}


def _classes(modules: Mapping[str, ast.Module]) -> list[Class]:
    nodes = [(name, node) for name, tree in modules.items() for node in tree.body if isinstance(node, ast.ClassDef)]
    parents = {node.name: [_name(base) for base in node.bases] for _, node in nodes}
    return [
        Class(node.name, module, tuple(_ancestors(node.name, parents)), frozenset(_assigned(node.body)))
        for module, node in nodes
    ]


def _ancestors(name: str, parents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for parent in parents.get(name, ()):
        yield parent
        yield from _ancestors(parent, parents)


def _name(base: ast.expr) -> str:
    """Return the name of a base class without its parameters: `Command` for `Command[Position]`."""
    return ast.unparse(base.value if isinstance(base, ast.Subscript) else base)


def _assigned(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _public(tree: ast.Module) -> Iterator[str]:
    """Yield the public names that a module defines. Type variables belong to their module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value.func) == "TypeVar":
            continue
        defined = [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef) else _assigned([node])
        yield from (name for name in defined if not name.startswith("_"))
