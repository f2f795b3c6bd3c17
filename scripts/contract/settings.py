"""The page `docs/settings.md`, generated from the fields of `Settings` and their docstrings."""

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path

from pydantic.fields import FieldInfo

from hubbub.domain.site_settings import SiteSettings
from hubbub.settings import PREFIX, Settings

HEAD = f"""# Settings

Each setting is a flag (`--set NAME=VALUE`), an environment variable (`{PREFIX}NAME`) or a line of `hubbub.toml`. A flag
overrides a variable, a variable overrides the file, and the file overrides the default. `--host`, `--port` and `--data`
are flags themselves.

## Settings of the site

The site's owners and admins can also change these while the site runs: in the browser (Site settings), with
`hubbub settings` ([operations](operations.md#site-settings)), or over REST (`/api/settings`). The database then has the
value, and overrides the default. A flag, a variable or a line of the file wins over the database: the setting is then
shown as fixed.

{{site}}
## Settings of the process

These hold from the start of the server to its end.

{{process}}"""
TABLE = "| Setting | Default | Allowed | What it does |\n|---|---|---|---|\n"


def page() -> str:
    """Return the page. Raises KeyError for a setting without a docstring."""
    docs = _docstrings()
    fields = Settings.model_fields
    site = {name: _does(field) for name, field in SiteSettings.model_fields.items()}
    process = {name: docs[name] for name in fields if name not in site}
    return HEAD.format(site=_table(site), process=_table(process))


def _table(docs: Mapping[str, str]) -> str:
    fields = Settings.model_fields
    return TABLE + "".join(
        f"| `{name}` | {_default(fields[name].default)} | {_cell(fields[name].description or '')} | {_cell(does)} |\n"
        for name, does in docs.items()
    )


def _does(field: FieldInfo) -> str:
    assert isinstance(field.json_schema_extra, dict)
    return str(field.json_schema_extra["does"])


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
