"""What Hubbub uses of uvicorn's private parts is in one file, and checked when it is imported."""

import ast
import inspect
import tomllib
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hubbub.gateways import uvicorn_protocols
from hubbub.gateways.native import http_protocol
from hubbub.gateways.uvicorn_protocols import REQUIRED, missing

SOURCE = Path(uvicorn_protocols.__file__)
OURS = {
    name: each
    for name, each in vars(uvicorn_protocols).items()
    if inspect.isclass(each) and each.__module__ == uvicorn_protocols.__name__
}


def _parents(class_: type) -> set[str]:
    """Return the names that the class uses of its uvicorn base."""
    return {name for base, names in REQUIRED.items() if issubclass(class_, base) for name in names}


def _used(tree: ast.ClassDef) -> set[str]:
    """Return the attributes of `self` and `super()` in a class."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            of_super = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
            if of_self or of_super:
                found.add(node.attr)
    return found


def _own(class_: type) -> set[str]:
    """Return the names that the class defines itself, or sets as private attributes in `__init__`."""
    return {name for base in class_.__mro__ if base.__module__.startswith("hubbub.") for name in vars(base)}


@pytest.mark.parametrize("name", [name for name, each in OURS.items() if _parents(each)])
def test_everything_used_of_uvicorn_is_listed(name: str) -> None:
    tree = next(
        node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.ClassDef) and node.name == name
    )
    class_ = OURS[name]
    base = next(each for each in class_.__mro__ if each in REQUIRED)
    inherited = set(dir(base)) | {
        attribute
        for parent in base.__mro__
        for method in vars(parent).values()
        if inspect.isfunction(method)
        for attribute in method.__code__.co_names
    }
    methods = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    uses = (_used(tree) | methods) & inherited - set(dir(object))
    assert uses <= _parents(class_) | {"config", "app"}, "add them to REQUIRED"


def test_the_installed_uvicorn_has_everything() -> None:
    assert missing(REQUIRED) == []


def test_a_uvicorn_without_a_used_attribute_is_noticed() -> None:
    assert missing({uvicorn.Server: ("startup", "gone_in_the_next_version")}) == ["Server.gone_in_the_next_version"]


def test_the_supported_versions_in_the_error_are_those_of_the_package() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = next(each for each in project["optional-dependencies"]["uvicorn"] if each.startswith("uvicorn"))
    assert f'"{wanted}"' in SOURCE.read_text()


def test_no_other_module_imports_private_parts_of_uvicorn() -> None:
    """The public ones are Config, Server's state, and the package itself."""
    allowed = {"uvicorn", "uvicorn.config", "uvicorn.server"}
    for path in Path("src/hubbub").rglob("*.py"):
        if path == SOURCE or path.samefile(SOURCE):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert all(each in allowed for each in modules if each and each.startswith("uvicorn")), path


def test_the_servers_http_protocol_uses_no_attribute_of_uvicorn() -> None:
    tree = ast.parse(Path(http_protocol.__file__).read_text())
    ours = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    used = {each for each in _used(ours) if each in REQUIRED[HttpToolsProtocol]}
    overridden = {node.name for node in ours.body if isinstance(node, ast.FunctionDef)}
    assert used - overridden == {"transport"}, "give it a method or property in uvicorn_protocols.py"
