"""The REST route of each wire command."""

from typing import get_args

from hubbub.domain.commands import AnyWireCommand, Command

WIRE: tuple[type[Command], ...] = get_args(AnyWireCommand)
ROUTES: dict[str, tuple[str, str]] = {command.kind: command.rest for command in WIRE if command.rest is not None}
