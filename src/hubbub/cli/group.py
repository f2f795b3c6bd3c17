"""Groups of commands: `hubbub`, `hubbub user` and the others."""

from typing import Any

from typer.core import TyperGroup


class Group(TyperGroup):
    """Prints its help where no command is given. This is not an error, so the exit code is 0."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])
