"""The page `docs/settings.md`, generated from the fields of `Settings` and their docstrings."""

import ast
import inspect
from pathlib import Path

from hubbub.settings import PREFIX, Settings

HEAD = f"""# Settings

Each setting is a flag (`--set NAME=VALUE`), an environment variable (`{PREFIX}NAME`) or a line of `hubbub.toml`. A flag
overrides a variable, a variable overrides the file, and the file overrides the default. `--host`, `--port` and `--data`
are flags themselves.

| Setting | Default | Allowed | What it does |
|---|---|---|---|
"""


def page() -> str:
    """Return the page. Raises KeyError for a setting without a docstring."""
    docs = _docstrings()
    return HEAD + "".join(
        f"| `{name}` | {_default(field.default)} | {_cell(field.description or '')} | {_cell(docs[name])} |\n"
        for name, field in Settings.model_fields.items()
    )


def _docstrings() -> dict[str, str]:
    """Return the string that follows each field in the class body, by the field's name."""
    (cls,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(cls, ast.ClassDef)
    found = {}
    for field, after in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            found[field.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
