"""`hubbub serve`: run the server in the foreground."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer

from hubbub.cli import options
from hubbub.cli.loading import loading
from hubbub.cli.options import Config, Data


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (default: 8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve the port (default: 1).")] = None,
    data: Data = None,
    config: Config = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, e.g. --set signup=open. May be repeated."),
    ] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    given = {"host": host, "port": port, "workers": workers, "data": data}
    flags = {key: value for key, value in given.items() if value is not None}
    pairs = options.pairs(settings or [])
    chosen = options.settings(pairs | flags, config, pairs.keys() - flags.keys())
    with loading():
        from hubbub import main as composition

    worker = None
    if chosen.workers > 1:
        from hubbub import workers as processes

        worker = processes.start(chosen)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(composition.serve(chosen, worker))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if uvloop is installed; None selects asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
