"""Files and folders that survive a power cut.

A file is written under a temporary name, synced and renamed, then its folder is synced. POSIX
promises nothing about a file that was not synced: after a power cut ext4 usually has it, XFS has an
empty one, btrfs none. A name is stored in its folder, so a new file also needs a sync of the
folder, and a new folder one of its parent. Every file that the server reports as written goes
through this module. SQLite syncs the content of its files, and the folder of its write-ahead log,
but not the folder of a new database: `create_file` does.
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
"""The errors of file systems without fsync for folders (some of FUSE and SMB)."""


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Create a folder and its missing parents, and sync each into its parent.

    An existing folder is left unchanged.
    """
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_folder(path.parent, 0o777)
    path.mkdir(mode, exist_ok=True)
    sync_folder(path.parent)


def create_file(path: Path, mode: int = 0o600) -> None:
    """Create an empty file in an existing folder and sync the folder.

    An existing file is not opened.
    """
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, mode))
    sync_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write a whole file with mode 0600 in place of an existing one.

    After a crash the file is either the old or the new one, never a part.
    """
    with new_file(path) as fresh:
        fresh.write_bytes(content)
        replace(fresh, path)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Create an empty file with mode 0600 beside `path`.

    It is removed at the end unless it was renamed.
    """
    make_folder(path.parent)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # a process that was killed may have left it
    fresh.touch(mode=0o600, exist_ok=False)
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def stream_to(path: Path) -> Iterator[IO[bytes]]:
    """Open a stream, with mode 0600, that becomes `path` when all of it is on disk.

    After a failure there is no file.
    """
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
    """Rename `fresh` to `path` in the same folder.

    The content is on disk before the name, and the name before the function returns.
    """
    sync(fresh)
    fresh.replace(path)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it exists, and sync the folder."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def second_name(path: Path, kept: Path) -> None:
    """Give a file a second name, or copy it where there are no hard links.

    The first name stays valid throughout.
    """
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
    """Wait until the file's content is on disk.

    Must not be called for a SQLite file that this process has open: closing a descriptor drops
    SQLite's locks on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in the folder are on disk."""
    try:
        sync(folder)
    except PermissionError:  # the folder may be written but not read
        os.sync()
    except OSError as error:
        if error.errno not in CANNOT_SYNC_FOLDERS:
            raise
