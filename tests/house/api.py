"""The public API as text, so that every change of it shows.

After an intended change, run `python -m tests.house.api`.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

STORED = Path(__file__).with_name("api.txt")
MODULES = ("hubbub", "hubbub.client", "hubbub.errors", "hubbub.host", "hubbub.testing")
UVICORNS = {"BoundedHttpProtocol", "WebSocketProtocol"}
"""Classes whose names are given to uvicorn, which calls their methods."""


def lines() -> list[str]:
    """Return one line for each name, function or attribute of the public API."""
    found: list[str] = []
    seen: list[object] = []
    for module_name in MODULES:
        module = import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            full = f"{module_name}.{name}"
            if name in UVICORNS:
                found.append(full)
            elif isinstance(thing, type):
                found += _class(full, thing) if thing not in seen else []
                seen.append(thing)
            elif inspect.isfunction(thing):
                found.append(f"{full}{inspect.signature(thing)}")
            else:
                found.append(f"{full}: {type(thing).__name__}")
    return found


def _class(name: str, kind: type) -> Iterator[str]:
    is_model = issubclass(kind, BaseModel)
    yield from _fields(name, kind) if is_model else [f"{name}{inspect.signature(kind)}"]
    for member_name in sorted(vars(kind)):
        member = inspect.getattr_static(kind, member_name)
        if member_name.startswith("_"):
            continue
        if isinstance(member, property) and member.fget is not None:
            yield f"{name}.{member_name} -> {_spelt(inspect.signature(member.fget).return_annotation)}"
        elif inspect.isfunction(member):
            prefix = "async " if inspect.iscoroutinefunction(member) else ""
            yield f"{prefix}{name}.{member_name}{inspect.signature(member)}"


def _fields(name: str, model: type[BaseModel]) -> Iterator[str]:
    for field_name, field in model.model_fields.items():
        default = "" if field.is_required() else f" = {field.default!r}"
        yield f"{name}.{field_name}: {_spelt(field.annotation)}{default}"


def _spelt(annotation: Any) -> str:
    """Return the type without its validators, which have no stable spelling."""
    if get_origin(annotation) is Annotated:
        return _spelt(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_spelt, get_args(annotation)))
    if get_origin(annotation) is tuple:
        return f"tuple[{', '.join('...' if part is ... else _spelt(part) for part in get_args(annotation))}]"
    return "None" if annotation is type(None) else inspect.formatannotation(annotation)


if __name__ == "__main__":
    STORED.write_text("\n".join(lines()) + "\n")
