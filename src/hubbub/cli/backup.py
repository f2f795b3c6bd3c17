"""`hubbub backup` and `hubbub restore`: the whole site in one file, and back."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli import options
from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.options import Config, Data

if TYPE_CHECKING:
    from hubbub.storage.backup import Progress
    from hubbub.storage.backup_format import Manifest

NICENESS = 10
PATIENCE = 60.0
"""Seconds for which a backup waits for the program that reads it."""
SLOWEST = 16 * 1024
"""Bytes per second."""
TOO_SLOW = (
    "The program that reads the backup is too slow. It was ended, because the database's log grows meanwhile. "
    "Write the backup into a file first."
)
SOON = 1.0
"""Seconds within which work finishes without a progress bar."""

Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing unless it fails.")]


def backup(
    file: Annotated[
        Path, typer.Argument(help="The file to write, e.g. chat.zip; - is standard output.", show_default=False)
    ],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    quiet: Quiet = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write the whole site into one file.

    The server may be running. Keep the file safe: it has keys and passwords.
    """
    to_stdout = str(file) == "-"
    if to_stdout and sys.stdout.isatty():
        fail("A backup is binary and cannot be printed. Give a file, or redirect standard output.", WRONG_USE)
    if not to_stdout and not force and file.exists():
        fail(f"{file} already exists. Choose another name, or overwrite it with --force.")
    settings = options.settings({"data": data, "log_level": "warning"}, config)
    from rich.filesize import decimal

    from hubbub import __version__
    from hubbub.clock import Clock
    from hubbub.storage import backup as storage
    from hubbub.storage.atomic_files import stream_to
    from hubbub.storage.database import Database

    os.nice(NICENESS)  # the running server has priority
    target = nullcontext(Pipe(sys.stdout.fileno())) if to_stdout else stream_to(file)
    now = Clock().now()
    with closing(Database(settings.database)) as database, _bar("Backup", quiet) as progress, target as sink:
        made = storage.write(database, settings.data, sink, version=__version__, now=now, progress=progress)
    if not quiet:
        size = "" if to_stdout else f" ({decimal(file.stat().st_size)})"
        typer.echo(f"Backed up {_contents(made)}{size}.", err=to_stdout)


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `hubbub backup`.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Move existing data aside first.")] = False,
    quiet: Quiet = False,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="The database to restore into. Other users of this machine can see options; prefer the settings file."
        ),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Restore a backup into SQLite or PostgreSQL. No server may be running."""
    settings = options.settings({"data": data, "database_url": database_url, "log_level": "warning"}, config)
    import secrets

    from hubbub.clock import Clock
    from hubbub.storage import backup_format
    from hubbub.storage import restore as storage
    from hubbub.storage.database import Database
    from hubbub.storage.locks import folder_lock

    with (
        backup_format.opened(file) as reader,
        folder_lock(settings.data),
        closing(Database(settings.database)) as database,
        storage.locked(database),
        _bar("Restore", quiet) as progress,
    ):
        if storage.is_used(database) and not replace:
            fail("The database already contains a site. Use --replace to move it aside.")
        epoch, now = secrets.token_hex(8), Clock().now()
        kept = storage.restore(reader, database, settings.data, epoch=epoch, now=now, progress=progress)
    if not quiet:
        moment = reader.manifest.made_at[:16].replace("T", " ")
        typer.echo(f"Restored {_contents(reader.manifest)}, as of {moment} UTC.")
        if kept is not None:
            typer.echo(f"The previous data is in {kept}.")


class Pipe:
    """Standard output without seeking: the zip writer must not seek in it.

    A backup reads one state of the database, and what is written meanwhile stays in the database's
    log. So a reader must not keep it for ever: write raises BackupError if it takes nothing for
    `patience` seconds, or if it takes less than SLOWEST bytes a second on average after that time.
    """

    def __init__(self, descriptor: int, patience: float = PATIENCE) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._began = time.monotonic()
        self._written = 0

    def write(self, data: bytes) -> int:
        from hubbub.storage.backup_format import BackupError

        rest = memoryview(data)
        while rest:
            _, ready, _ = select.select([], [self._descriptor], [], self._patience)
            lasted = time.monotonic() - self._began
            if not ready or (lasted > self._patience and self._written < SLOWEST * lasted):
                raise BackupError(TOO_SLOW)
            # A pipe that is ready takes this much without blocking.
            taken = os.write(self._descriptor, rest[: select.PIPE_BUF])
            self._written += taken
            rest = rest[taken:]
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Leave the descriptor to the process."""


def _contents(manifest: "Manifest") -> str:
    def count(table: str, singular: str) -> str:
        rows = manifest.tables[table].rows
        return f"{rows:,} {singular if rows == 1 else singular + 's'}"

    return f"{count('users', 'user')}, {count('rooms', 'room')} and {count('messages', 'message')}"


@contextmanager
def _bar(what: str, quiet: bool) -> Iterator["Progress"]:
    """Show a progress bar on stderr for work that takes long, if stderr is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    began = time.monotonic()
    bar, shown = Bar(console=console, transient=True), False
    task = bar.add_task(what)

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if not shown and console.is_terminal and not quiet and time.monotonic() - began > SOON:
            shown = True
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        if shown:  # rich before 14 prints an empty line otherwise
            bar.stop()
