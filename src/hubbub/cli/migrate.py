"""`hubbub migrate`: upgrade the database schema."""

import asyncio

import typer

from hubbub.cli import options
from hubbub.cli.options import Config, Data


def migrate(data: Data = None, config: Config = None) -> None:
    """Upgrade the database to this version.

    Backs the SQLite file up first. `serve` does the same at start.
    """
    chosen = options.settings({"data": data}, config)
    from hubbub import main as composition

    async def start_and_stop() -> None:
        async with composition.running(chosen, serving=False):
            pass

    asyncio.run(start_and_stop())
    typer.echo("The database is up to date.")
