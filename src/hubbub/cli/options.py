"""Options and settings shared by several commands."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.loading import loading
from hubbub.settings import Settings, load

Data = Annotated[Path | None, typer.Option(help="The folder with the database and the keys (default: hubbub-data).")]
Config = Annotated[Path | None, typer.Option(help="A settings file (default: hubbub.toml, if there is one).")]


def settings(flags: dict[str, Any], config: Path | None, pairs: Collection[str] = ()) -> Settings:
    """Load the settings and configure the log. `pairs` are the names of `flags` that were given with `--set`."""
    with loading():
        from hubbub import log

    chosen, warnings = load(flags, config, pairs)
    log.configure(chosen.log_level, chosen.log_format)
    for sentence in warnings:
        typer.echo(f"hubbub: {sentence}", err=True)
    return chosen


def word(typed: str) -> str:
    """Return an argument. Ends the program if it is not valid UTF-8."""
    try:
        typed.encode()
    except UnicodeEncodeError:  # Python decodes other bytes to lone surrogates (PEP 383)
        fail("The argument is not valid UTF-8.", WRONG_USE)
    return typed


def pairs(given: list[str]) -> dict[str, Any]:
    pairs = {}
    for pair in given:
        name, found, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not found or name not in Settings.model_fields:
            fail(f"--set {pair.partition('=')[0]}: expected NAME=VALUE with the name of a setting.", WRONG_USE)
        pairs[name] = value
    return pairs
