"""File systems for tests: a small disk to fill up, and images that lose power."""

import contextlib
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import eventually_blocking

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of that size for the duration of the block."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a small tmpfs cannot be mounted, so a full disk was NOT tested")
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fill the disk except for `leave` bytes; return the file to delete."""
    filler = disk / "filler"
    state = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - leave)))
    return filler


def needs_loop_devices() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: no loop device can be mounted, so power cuts were NOT tested")
    if not all(shutil.which(f"mkfs.{system}", path=PATH) for system in ("xfs", "btrfs")):
        pytest.skip("needs mkfs.xfs and mkfs.btrfs (scripts/filesystems), so power cuts were NOT tested")


@contextlib.contextmanager
def mounted(system: str, image: Path, folder: Path, size: str | None = None) -> Iterator[Path]:
    """Mount the file system in the file `image` on `folder`.

    Create it first if `size` is given.
    """
    if size is not None:
        _run("truncate", "--size", size, str(image))
        _run(f"mkfs.{system}", "-q", str(image))
    folder.mkdir(exist_ok=True)
    if system == "btrfs":  # the kernel remembers images by id, and rejects an older one with the same id
        _run("btrfs", "device", "scan", "--forget", check=False)
    options = "loop,nouuid" if system == "xfs" else "loop"
    _run("mount", "-t", system, "-o", options, str(image), str(folder))
    try:
        yield folder
    finally:
        gc.collect()  # closes what a failed start left open
        umount = ("umount", str(folder))
        eventually_blocking(lambda: subprocess.run(umount, check=False).returncode == 0, 30, f"{folder} is not in use")


def loop_device(image: Path) -> str:
    """Return the name of the loop device on `image`, such as loop0."""
    found = _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(image))
    return Path(found.strip()).name


def _run(*command: str, check: bool = True) -> str:
    environment = {**os.environ, "PATH": PATH}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
