"""Files and folders that survive a power cut: written beside their name, synced, renamed, and the folder synced.

POSIX promises nothing about a file that was not synced: after a power cut ext4 usually has it, XFS has an empty one,
btrfs none. A name lives in its folder, so a new file also needs a sync of the folder, and a new folder one of its
parent. Everything the server says exists goes through this module; SQLite syncs what is in its files, and the folder
of its write-ahead log, but not the folder of a new database: `create_file` does.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import IO

CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP})
"""How file systems answer that have no fsync for folders (some of FUSE and SMB)."""


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Creates a folder with its missing parents and syncs each into its parent; an existing one is left as it is."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_folder(path.parent, 0o777)
    path.mkdir(mode, exist_ok=True)
    sync_folder(path.parent)


def create_file(path: Path, mode: int = 0o600) -> None:
    """Creates an empty file in an existing folder, synced into it. An existing file is not opened."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, mode))
    sync_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Writes a whole file for its owner alone (mode 0600), in place of what was there: one or the other, never part."""
    with new_file(path) as fresh:
        fresh.write_bytes(content)
        replace(fresh, path)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, for its owner alone; removed at the end, unless it was renamed."""
    make_folder(path.parent)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a process that was killed
    fresh.touch(mode=0o600, exist_ok=False)
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def stream_to(path: Path) -> Iterator[IO[bytes]]:
    """A stream, for the owner alone, that becomes `path` when all of it is on disk; on failure there is no file."""
    try:
        descriptor, name = mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path.parent)) from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        replace(part, path)
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def replace(fresh: Path, path: Path) -> None:
    """Renames `fresh` to `path`, in one folder: the content is on disk before the name, the name before it returns."""
    sync(fresh)
    fresh.replace(path)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Removes a file, if it is there, for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def second_name(path: Path, kept: Path) -> None:
    """Gives a file a second name, or a copy where there are no hard links; the first name stays valid throughout."""
    make_folder(kept.parent)
    try:
        kept.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(path, kept)
        sync(kept)
    sync_folder(kept.parent)


def sync(path: Path) -> None:
    """Waits until the file's content is on disk.

    Never for a SQLite file that this process has open: closing a descriptor drops SQLite's locks on it
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Waits until the folder's names are on disk."""
    try:
        sync(folder)
    except PermissionError:  # a folder that may be written but not read
        os.sync()
    except OSError as error:
        if error.errno not in CANNOT_SYNC_FOLDERS:
            raise
