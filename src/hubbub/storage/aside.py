"""Files put in place of others: written beside them, synced, renamed; what was there before is kept in a folder."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import IO

from hubbub.storage.archive import Unusable

KEY = "secret.key"


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, for its owner alone; gone afterwards, unless it was renamed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of somebody who was killed
    fresh.touch(mode=0o600, exist_ok=False)
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A stream, for the owner alone, that becomes `path` when everything in it is on disk; else there is nothing."""
    try:
        descriptor, name = mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path.parent)) from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        _rename(part, path)
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def key_in_place(data: Path, key: bytes | None, aside: Path) -> Iterator[None]:
    """`key` is the signing key while what follows is done, and after it; if that fails, the old one is back."""
    path, kept = data / KEY, aside / KEY
    old = path.read_bytes() if path.exists() else None
    if key is None or key == old:
        yield
        return
    if old is not None:
        _keep(path, kept)
    with new_file(path) as fresh:
        fresh.write_bytes(key)
        _rename(fresh, path)
    try:
        yield
    except BaseException:
        if old is None:
            path.unlink()
        else:
            kept.replace(path)
            with suppress(OSError):
                aside.rmdir()
        raise


def swap(database: Path, fresh: Path, aside: Path) -> None:
    """The SQLite file `fresh` becomes the database, and the one that was there goes to `aside`.

    Raises Unusable if somebody has the database open, OSError; then what was there is there.
    """
    _sync(fresh)  # what takes long and may fail, before anything is moved
    if database.exists():
        _empty_log(database)
        _keep(database, aside / database.name)
    moved: list[Path] = []
    try:
        for suffix in ("-wal", "-shm", "-journal"):
            # Left in place, SQLite would take it for the new file's; also where the old file itself is gone.
            beside = database.with_name(database.name + suffix)
            if beside.exists():
                _make(aside)
                beside.rename(aside / beside.name)
                moved.append(beside)
        fresh.replace(database)
    except BaseException:
        for beside in moved:
            (aside / beside.name).rename(beside)
        raise
    _sync(database.parent)


def keep_key(data: Path, aside: Path) -> None:
    """What was put aside can be served as it is: with the key, where that has not changed."""
    if aside.exists() and (data / KEY).exists() and not (aside / KEY).exists():
        _keep(data / KEY, aside / KEY)


def _empty_log(database: Path) -> None:
    """What is in the write-ahead log goes into the file; a damaged one is kept as it is."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unusable(f"Somebody has {database} open: end what reads it first.")


def _make(aside: Path) -> None:
    for folder in (aside.parent, aside):
        folder.mkdir(mode=0o700, exist_ok=True)


def _keep(path: Path, kept: Path) -> None:
    """A second name, so that the first one is there all the time; a copy, where there are no second names."""
    _make(kept.parent)
    try:
        kept.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(path, kept)
        _sync(kept)
    _sync(kept.parent)


def _rename(fresh: Path, path: Path) -> None:
    _sync(fresh)
    fresh.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
