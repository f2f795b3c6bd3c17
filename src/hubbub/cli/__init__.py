"""The command line: `hubbub serve | migrate | backup | restore | user | invite`, a noun a file.

Every failure an operator can meet ends in a sentence on stderr and an exit code: 1 refused or impossible, 2 wrong use.
"""

from typing import Annotated

import typer

from hubbub.cli import backup, invite, migrate, serve, user
from hubbub.cli.errors import sentences

app = typer.Typer(
    help="Self-hosted real-time chat.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.command()(serve.serve)
app.command()(migrate.migrate)
app.command()(backup.backup)
app.command()(backup.restore)
app.add_typer(user.app, name="user")
app.add_typer(invite.app, name="invite")


def main() -> None:
    """The entry point: `hubbub` and `python -m hubbub`."""
    with sentences():
        app()


def _version(wanted: bool) -> None:
    if wanted:
        from hubbub import __version__

        typer.echo(f"hubbub {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which one.")
    ] = False,
) -> None:
    """Self-hosted real-time chat."""
