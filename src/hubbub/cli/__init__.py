"""The command line.

`hubbub serve | migrate | backup | restore | tail | user | invite | follower | search | settings`, one
file per noun.

Every failure an operator can meet ends in a sentence on stderr and an exit code: 1 for an error, 2
for wrong usage.
"""

from typing import Annotated

import typer

from hubbub.cli import backup, follower, invite, migrate, search, serve, site_settings, tail, user
from hubbub.cli.errors import sentences
from hubbub.cli.group import Group

app = typer.Typer(help="Self-hosted real-time chat.", cls=Group, pretty_exceptions_enable=False)
app.command()(serve.serve)
app.command()(migrate.migrate)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(tail.tail)
app.add_typer(user.app, name="user")
app.add_typer(invite.app, name="invite")
app.add_typer(follower.app, name="follower")
app.add_typer(search.app, name="search")
app.add_typer(site_settings.app, name="settings")


def main() -> None:
    """Run the command line. `hubbub.__main__` calls it."""
    with sentences():
        app()


def _version(requested: bool) -> None:
    if requested:
        from hubbub import __version__

        typer.echo(f"hubbub {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Self-hosted real-time chat."""
