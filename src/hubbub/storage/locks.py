"""Locks on what may have one user at a time: each lies where the thing itself is, whatever name leads to it.

The data folder has `lock` in it. A SQLite database has two locks, since either alone can be walked around:

- `NAME.lock` beside the file, found by its real path. It stands for the path, also while a restore puts another file
  there. Symbolic links, `..`, relative paths and bind mounts of the folder all lead to the same lock file.
- On Linux, flock(2) on the database file itself, so on its inode: hard links and bind mounts of the file lead to it
  too. It does not touch the fcntl(2) locks that SQLite takes on the same file. Elsewhere (macOS, BSD) the two kinds
  exclude each other, so there it is left out.

A process that closes any descriptor of a SQLite file drops all of SQLite's locks on it
(https://www.sqlite.org/howtocorrupt.html, section 2.2). Therefore the descriptor with the inode's lock is opened before
SQLite opens the file and closed after SQLite has closed it, and a second attempt in the same process is refused by a
look at the inode number, without opening the file.

The kernel gives these locks back when the process ends, however it ends. The lock of a PostgreSQL database is in
`storage.postgresql_lock`.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubbub.storage.atomic_files import create_file, make_folder, sync_folder

LOCK = "lock"
SUFFIX = ".lock"

_guard = threading.Lock()
_locked_inodes: set[tuple[int, int]] = set()


class InUse(Exception):
    """Another process uses what this one needs for itself; the message is a sentence for the operator."""


class FolderInUse(InUse):
    """It is the data folder."""


class DatabaseInUse(InUse):
    """It is the database."""


@contextmanager
def folder_lock(data: Path) -> Iterator[None]:
    """Keeps every other process off the data folder, which is created if it does not exist. Raises FolderInUse."""
    make_folder(data)
    refusal = FolderInUse(
        f"Another Hubbub process already uses the data folder {data}. Stop it, or use another folder. "
        "A data folder has one process: run the web server with one worker."
    )
    with _flock(data / LOCK, refusal):
        sync_folder(data.absolute().parent)  # the folder may be new, made by a process that was killed before its sync
        yield


@contextmanager
def sqlite_lock(path: Path, *, create: bool = True) -> Iterator[None]:
    """Keeps every other Hubbub off a SQLite database. Raises DatabaseInUse.

    With `create`, a database that does not exist becomes an empty file: there is no inode to lock before. The caller
    opens the database after this is entered, and has closed it when it is left.
    """
    real = Path(os.path.realpath(path))
    make_folder(real.parent)
    refusal = DatabaseInUse(
        f"Another Hubbub process already uses the database {path}. Stop it first; "
        "for a command, name the data folder of the running server with --data."
    )
    with _flock(real.with_name(real.name + SUFFIX), refusal):
        if create:
            create_file(real)
        with _inode_lock(real, refusal):
            yield


@contextmanager
def _inode_lock(path: Path, refusal: InUse) -> Iterator[None]:
    if sys.platform != "linux" or not path.exists():
        yield
        return
    found = path.stat()
    inode = found.st_dev, found.st_ino
    with _guard:
        if inode in _locked_inodes:
            raise refusal
        _locked_inodes.add(inode)
    try:
        with _flock(path, refusal):
            yield
    finally:
        with _guard:
            _locked_inodes.discard(inode)


@contextmanager
def _flock(path: Path, refusal: InUse) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(descriptor)
