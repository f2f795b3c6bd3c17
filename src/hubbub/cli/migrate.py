"""`hubbub migrate`: upgrade the database schema."""

import asyncio
from typing import Annotated

import typer

from hubbub.cli import options
from hubbub.cli.options import Config, Data


def migrate(
    new_epoch: Annotated[
        bool,
        typer.Option(
            "--new-epoch",
            help="Begin a new history, after you put an older copy of the database or of the machine in place. "
            "All clients load everything again.",
        ),
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Upgrade the database to this version.

    Backs the SQLite file up first. `serve` does the same at start.
    """
    chosen = options.settings({"data": data}, config)
    from hubbub import main as composition

    async def start_and_stop() -> None:
        async with composition.running(chosen, serving=False, new_epoch=new_epoch):
            pass

    asyncio.run(start_and_stop())
    typer.echo("The database is up to date.")
    if new_epoch:
        typer.echo("A new history has begun: clients load everything again when they reconnect.")
