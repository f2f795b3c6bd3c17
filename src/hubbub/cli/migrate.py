"""`hubbub migrate`: the database brought up to this version, and nothing else."""

import asyncio

import typer

from hubbub.cli import options
from hubbub.cli.options import Config, Data


def migrate(data: Data = None, config: Config = None) -> None:
    """Bring the database up to this version, after a backup of the SQLite file. `serve` does it by itself."""
    chosen = options.settings({"data": data}, config)
    from hubbub import main as composition

    async def start_and_stop() -> None:
        async with composition.running(chosen, serving=False):
            pass

    asyncio.run(start_and_stop())
    typer.echo("The database is up to date.")
