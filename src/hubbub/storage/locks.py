"""Locks on the data folder and on a SQLite database.

Only one process may use each of them at a time. Each lock lies where the thing itself is, so that
every path to it leads to the same lock. The data folder contains `lock`. Nodes of one site may share
their folder: they share that lock, and each holds a `lock.N` besides, by which it has a number. A
SQLite database has two locks, since each of them alone can be bypassed:

- `NAME.lock` beside the file, found by its real path. It stands for the path, also while a restore
  puts another file there. Symbolic links, `..`, relative paths and bind mounts of the folder all
  lead to the same lock file.
- On Linux, flock(2) on the database file itself, so on its inode: hard links and bind mounts of the
  file lead to it too. It does not affect the fcntl(2) locks that SQLite takes on the same file. On
  other systems (macOS, BSD) the two kinds exclude each other, so this lock is left out there.

A process that closes any descriptor of a SQLite file drops all of SQLite's locks on it
(https://www.sqlite.org/howtocorrupt.html, section 2.2). Therefore the descriptor with the inode's
lock is opened before SQLite opens the file and closed after SQLite has closed it. A second attempt
in the same process is refused by the inode number, without opening the file.

The kernel releases these locks when the process ends, however it ends. The lock of a PostgreSQL
database is in `storage.postgresql_lock`.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hubbub.storage.atomic_files import create_file, make_folder, sync_folder

LOCK = "lock"
SUFFIX = ".lock"
PROCESSES = 64
"""Processes that may share a data folder."""

_guard = threading.Lock()
_locked_inodes: set[tuple[int, int]] = set()


class InUse(Exception):
    """Another process uses what this process needs for itself.

    The message is a sentence for the operator.
    """


class FolderInUse(InUse):
    """Another process uses the data folder."""


class DatabaseInUse(InUse):
    """Another process uses the database."""


@contextmanager
def folder_lock(data: Path) -> Iterator[None]:
    """Lock the data folder, which is created if it does not exist. Raises FolderInUse."""
    refusal = FolderInUse(
        f"Another Hubbub process already uses the data folder {data}. Stop it, or use another folder. "
        "Several processes, such as the workers of a web server, need a bus: set HUBBUB_BUS_URL and "
        "HUBBUB_DATABASE_URL (PostgreSQL) for all of them. With SQLite, start one process."
    )
    with _folder(data, refusal, shared=False):
        yield


@contextmanager
def shared_folder_lock(data: Path, wanted: int | None = None) -> Iterator[int]:
    """Lock the data folder together with other nodes; yield the number of this process in it.

    It is `wanted` if no other process has it, else the lowest free one. Raises FolderInUse.
    """
    refusal = FolderInUse(
        f"Another Hubbub process without a bus, or a command, uses the data folder {data}. Stop it, or set its "
        "HUBBUB_BUS_URL, too."
    )
    with _folder(data, refusal, shared=True):
        full = FolderInUse(f"{PROCESSES} Hubbub processes already use the data folder {data}. Use another folder.")
        for number in [*([] if wanted is None else [wanted]), *range(PROCESSES)]:
            with ExitStack() as stack:
                try:
                    stack.enter_context(_flock(data / f"{LOCK}.{number}", full))
                except FolderInUse:
                    continue
                yield number
                return
        raise full


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file for a moment; wait for another process that holds it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def try_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file. Raises InUse if another process holds it."""
    with _flock(path, InUse(f"Another process holds {path}.")):
        yield


@contextmanager
def _folder(data: Path, refusal: InUse, *, shared: bool) -> Iterator[None]:
    make_folder(data)
    with _flock(data / LOCK, refusal, shared=shared):
        # A process that was killed before its sync may have created the folder.
        sync_folder(data.absolute().parent)
        yield


@contextmanager
def sqlite_lock(path: Path, *, create: bool = True) -> Iterator[None]:
    """Lock a SQLite database against other Hubbub processes. Raises DatabaseInUse.

    With `create`, a database that does not exist is created as an empty file, since there is no
    inode to lock before. The caller must open the database after entering and close it before
    leaving.
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
def _flock(path: Path, refusal: InUse, *, shared: bool = False) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(descriptor)
