"""`hubbub search`: the index of the message search."""

import asyncio
import time
from typing import TYPE_CHECKING

import typer

from hubbub.cli import options
from hubbub.cli.group import Group
from hubbub.cli.loading import loading
from hubbub.cli.options import Config, Data
from hubbub.cli.request import require_site
from hubbub.settings import Settings

if TYPE_CHECKING:
    from hubbub.engine.search import Progress

INTERVAL = 0.5

app = typer.Typer(help="The index of the message search.", cls=Group)


@app.command("rebuild")
def rebuild(data: Data = None, config: Config = None) -> None:
    """Build the search index again, and show the progress.

    A running server does it while people talk. It goes on if this command is interrupted.
    """
    from hubbub.cli.operator import ask_server
    from hubbub.control import RebuildSearch, ShowSearch
    from hubbub.engine.search import Progress

    settings = options.settings({"data": data, "log_level": "warning"}, config)
    answer = ask_server(settings.data, RebuildSearch())
    if answer is None:
        require_site(settings)
        progress = asyncio.run(_alone(settings))
    else:
        while True:
            progress = Progress.model_validate(answer)
            if progress.complete:
                break
            _show(progress)
            time.sleep(INTERVAL)
            answer = ask_server(settings.data, ShowSearch())
            if answer is None:
                typer.echo("\nThe server has stopped. It goes on when it starts again.", err=True)
                raise typer.Exit(1)
    _show(progress)
    typer.echo("\nThe search index is complete.")


async def _alone(settings: Settings) -> "Progress":
    """Build the index in this process. If it is interrupted, the server goes on when it starts."""
    with loading():
        from hubbub import main as composition

    async with composition.running(settings, serving=False) as services:
        await services.search.rebuild()
        while await services.search.step():
            _show(await services.search.progress())
        return await services.search.progress()


def _show(progress: "Progress") -> None:
    share = 100 * progress.done_count // progress.total_count if progress.total_count else 100 * progress.complete
    counts = f"{progress.done_count:,} of {progress.total_count:,} messages ({share} %)"
    typer.echo(f"\rIndexed {counts}", nl=False)
