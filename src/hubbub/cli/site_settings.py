"""`hubbub settings`: the settings of the site, on a running server or with the server stopped."""

from typing import Annotated, Any

import typer

from hubbub.cli import options
from hubbub.cli.group import Group
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

app = typer.Typer(help="Settings of the site: list, get, set, unset.", cls=Group)


def _name(text: str) -> str:
    return options.word(text).strip().replace("-", "_")


Name = Annotated[str, typer.Argument(help="The setting's name, e.g. signup.", show_default=False, callback=_name)]
Value = Annotated[
    str, typer.Argument(help="The new value, as in a variable.", show_default=False, callback=options.word)
]


@app.command("list")
def list_settings(data: Data = None, config: Config = None) -> None:
    """List all settings of the site: their values, defaults, and where the values come from."""
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "default", "source", "allowed")
    for each in _all(data, config):
        source = f"fixed by {each['fixed_by']}" if each["fixed"] else each["source"]
        problem = f", {each['problem']}" if each["problem"] else ""
        shown = (_text(each["value"]), _text(each["default"]), f"{source}{problem}", each["allowed"])
        table.add_row(each["setting"], *shown)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@app.command("get")
def get_setting(name: Name, data: Data = None, config: Config = None) -> None:
    """Print the value of a setting that is in effect."""
    from hubbub.control import NO_SETTING
    from hubbub.domain.errors import NotFound

    found = [each for each in _all(data, config) if each["setting"] == name and each["value"] is not None]
    if not found:
        raise NotFound(NO_SETTING)
    typer.echo(_text(found[0]["value"]))


@app.command("set")
def set_setting(name: Name, value: Value, data: Data = None, config: Config = None) -> None:
    """Set a setting. It takes effect at once."""
    from hubbub.control import ChangeSetting

    answer: Any = ask(ChangeSetting(setting=name, value=value), data, config)
    (found,) = answer["settings"]
    typer.echo(f"{found['setting']} is now {_text(found['value'])}.")


@app.command("unset")
def unset_setting(name: Name, data: Data = None, config: Config = None) -> None:
    """Remove the value of a setting, so that its default holds."""
    from hubbub.control import ChangeSetting

    answer: Any = ask(ChangeSetting(setting=name, value=None), data, config)
    for found in answer["settings"]:
        typer.echo(f"{found['setting']} is now {_text(found['value'])}, the default.")
    if not answer["settings"]:
        typer.echo(f"Removed {name}.")


def _all(data: Any, config: Any) -> list[dict[str, Any]]:
    from hubbub.control import ListSettings

    answer: Any = ask(ListSettings(), data, config)
    found: list[dict[str, Any]] = answer["settings"]
    return found


def _text(value: object) -> str:
    """Return a value as `set` takes it."""
    return "" if value is None else "on" if value is True else "off" if value is False else str(value)
