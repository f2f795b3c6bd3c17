"""`hubbub invite`: links that let others sign up."""

import re
from typing import Annotated

import typer

from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

app = typer.Typer(help="Invites: links that let others sign up.", no_args_is_help=True)


@app.command("create")
def create_invite(
    uses: Annotated[int, typer.Option(min=0, help="How many may use it; 0 is without limit.")] = 1,
    expires: Annotated[str, typer.Option(help="When it ends: 30m, 12h, 7d, 2w or never.")] = "7d",
    data: Data = None,
    config: Config = None,
) -> None:
    """Print a link with which others sign up."""
    from hubbub.control import MakeInvite

    answer = ask(MakeInvite(uses=uses or None, expires_in=_seconds(expires)), data, config)
    typer.echo(answer["link"])


def _seconds(duration: str) -> int | None:
    if duration == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", duration)
    if found is None:
        fail(f"--expires {duration} is none of 30m, 12h, 7d, 2w and never.", WRONG_USE)
    return int(found[1]) * UNITS[found[2]]
