"""The limits of texts and lists in TypeScript, for clients that warn before the server refuses."""

import ast
import inspect
from types import ModuleType

from hubbub.domain import emojis, mentions, names, passwords, text
from hubbub.storage import reactions

MODULES = (text, names, mentions, emojis)
"""All their public integers are exported."""
OTHERS = {"MIN_PASSWORD": (passwords, "MIN_CHARACTERS"), "REACTION_USERS_SHOWN": (reactions, "SHOWN")}
"""Constants of other modules, by the name that clients use."""
HEADER = "/** The server's limits. Written by `make contract` from its constants. Do not edit. */\n"


def module() -> str:
    lines = dict(line for source in MODULES for line in _exported(source).items())
    for name, (source, constant) in OTHERS.items():
        lines[name] = _line(name, vars(source)[constant], _docstrings(source).get(constant, ""))
    return HEADER + "\n" + "".join(lines[name] for name in sorted(lines))


def _exported(source: ModuleType) -> dict[str, str]:
    docstrings = _docstrings(source)
    return {name: _line(name, vars(source)[name], docstrings[name]) for name in docstrings}


def _line(name: str, value: int, docstring: str) -> str:
    comment = f"/** {docstring} */\n" if docstring else ""
    return f"{comment}export const {name} = {value:_};\n"


def _docstrings(source: ModuleType) -> dict[str, str]:
    """Return the public integers that a module assigns, with the string below each of them."""
    body = ast.parse(inspect.getsource(source)).body
    found = {}
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name[0] != "_" and type(vars(source)[name]) is int:
                match following:
                    case ast.Expr(value=ast.Constant(value=str(words))):
                        found[name] = " ".join(words.split())
                    case _:
                        found[name] = ""
    return found
