"""Send a command to the journal of the running server, or of this process."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from hubbub.cli import options
from hubbub.cli.errors import fail
from hubbub.cli.loading import loading
from hubbub.settings import Settings

if TYPE_CHECKING:
    from hubbub.control import Answer, Reading, Request

START_PATIENCE = 10.0


def ask(request: "Request", data: Path | None, config: Path | None) -> "Answer":
    """Execute a request through the running server, or else on the database itself.

    The server is the one that runs on the data folder.

    Requests that only read neither lock nor migrate the database. Ends the program if there is no
    site.
    """
    settings = options.settings({"data": data, "log_level": "warning"}, config)
    return ask_with(settings, request)


def ask_with(settings: Settings, request: "Request") -> "Answer":
    """Like `ask`, with settings that are already loaded."""
    from hubbub.cli.operator import ask_server
    from hubbub.control import Reading
    from hubbub.storage.locks import FolderInUse

    deadline = time.monotonic() + START_PATIENCE
    while True:
        answer = ask_server(settings.data, request)
        if answer is not None:
            return answer
        try:
            revision = require_site(settings)
            if isinstance(request, Reading):
                return _read(settings, request, revision)
            return asyncio.run(_alone(settings, request))
        except FolderInUse:
            # A starting server already holds the lock but does not listen yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def require_site(settings: Settings) -> str:
    """Return the database's revision.

    A mistyped folder ends the program here, before anything is created in it.

    Raises FolderInUse if a server may be about to create the database.
    """
    from hubbub.storage import migrate
    from hubbub.storage.database import Database
    from hubbub.storage.locks import folder_lock

    with closing(Database(settings.database)) as database:
        there = database.path is None or database.path.exists()
        revision = database.read(migrate.current) if there else None
    if revision is None:
        if settings.data.exists():
            with folder_lock(settings.data):
                pass
        where = f": {database.path} does not exist" if not there else ""
        fail(
            f"There is no Hubbub site here{where}. Check --data and the settings. "
            "To create a new site, run `hubbub serve` or `hubbub migrate`."
        )
    return revision


def _read(settings: Settings, request: "Reading", revision: str) -> "Answer":
    from hubbub.control import read
    from hubbub.storage import migrate
    from hubbub.storage.database import Database

    if revision != migrate.HEAD:
        fail("The database belongs to another version of Hubbub. Use that version, or run `hubbub migrate` first.")
    with closing(Database(settings.database)) as database:
        return database.read(read, request, settings)


async def _alone(settings: Settings, request: "Request") -> "Answer":
    with loading():
        from hubbub import control
        from hubbub import main as composition

    async with composition.running(settings, serving=False) as services:
        return await control.perform(services, request)
