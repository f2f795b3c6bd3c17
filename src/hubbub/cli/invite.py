"""`hubbub invite`: invite links for sign-up."""

import re
from typing import Annotated

import typer

from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.group import Group
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

app = typer.Typer(help="Invite links, which allow sign-up.", cls=Group)


@app.command("create")
def create_invite(
    uses: Annotated[int, typer.Option(min=0, help="How many people can use the link; 0 for no limit.")] = 1,
    expires: Annotated[str, typer.Option(help="When the link expires: e.g. 30m, 12h, 7d, 2w, or never.")] = "7d",
    data: Data = None,
    config: Config = None,
) -> None:
    """Create an invite and print its link."""
    from hubbub.control import MakeInvite

    answer = ask(MakeInvite(uses=uses or None, expires_in=_seconds(expires)), data, config)
    typer.echo(answer["link"])


def _seconds(duration: str) -> int | None:
    if duration == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", duration)
    if found is None:
        fail(f"--expires {duration} is not a duration. Use e.g. 30m, 12h, 7d or 2w, or never.", WRONG_USE)
    return int(found[1]) * UNITS[found[2]]
