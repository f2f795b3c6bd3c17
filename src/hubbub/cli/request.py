"""How a command reaches the journal: through the server that runs on the folder, or on the database itself."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hubbub.cli import options
from hubbub.cli.loading import loading
from hubbub.settings import Settings

if TYPE_CHECKING:
    from hubbub.control import Answer, Request

START_PATIENCE = 10.0


def ask(request: "Request", data: Path | None, config: Path | None) -> "Answer":
    """Through the server that runs on the folder; without one, on the database itself."""
    from hubbub.control import FolderInUse, ask_server

    settings = options.settings({"data": data, "log_level": "warning"}, config)
    deadline = time.monotonic() + START_PATIENCE
    while True:
        answer = ask_server(settings.data, request)
        if answer is not None:
            return answer
        try:
            return asyncio.run(_alone(settings, request))
        except FolderInUse:
            # A server that is starting holds the lock already and does not listen yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def _alone(settings: Settings, request: "Request") -> "Answer":
    with loading():
        from hubbub import control
        from hubbub import main as composition

    with control.folder_lock(settings.data):
        async with composition.running(settings) as services:
            return await control.perform(services, request)
