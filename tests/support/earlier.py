"""An earlier version of the server, from the history of the repository."""

import io
import subprocess
import tarfile
from pathlib import Path

from hubbub.storage.migrate import HEAD, OLDEST

ROOT = Path(__file__).parents[2]
COMMITS = 200
"""How many commits that changed the server are looked through."""
NODE = "src/hubbub/bus/nats.py"
"""A version without this file has no nodes."""


def git(*arguments: str) -> bytes | None:
    """Return the output of git, None if it fails: there is no history, or no such object."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def goes_with(commit: str) -> bool:
    """Return whether nodes of that version may run beside those of this one."""
    found = git("show", f"{commit}:src/hubbub/storage/migrate.py")
    if found is None or git("cat-file", "-e", f"{commit}:{NODE}") is None:
        return False
    revision = next(line.split('"')[1] for line in found.decode().splitlines() if line.startswith("HEAD = "))
    return OLDEST <= revision <= HEAD


def earlier_commit() -> str | None:
    """Return the last tag, or else the oldest of the last commits, that goes with this version.

    None if the history is missing, or has none.
    """
    tag = (git("describe", "--tags", "--abbrev=0", "HEAD~1") or b"").decode().strip()
    if tag and goes_with(tag):
        return tag
    listed = git("log", "--first-parent", f"-{COMMITS}", "--format=%H", "HEAD~1", "--", "src/hubbub") or b""
    found = None
    for commit in listed.decode().split():
        if not goes_with(commit):
            break
        found = commit
    return found


def unpack_earlier(folder: Path) -> tuple[Path, str]:
    """Unpack an earlier version. Return the folder to import it from, and what it is.

    Without a history, as in a source archive, it is a copy of this version: two nodes with files of
    their own.
    """
    commit = earlier_commit()
    archived = git("archive", commit, "src") if commit is not None else None
    if commit is None or archived is None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(ROOT / "src" / "hubbub", "src/hubbub")
        commit, archived = "this version", packed.getvalue()
    with tarfile.open(fileobj=io.BytesIO(archived)) as tar:
        tar.extractall(folder, filter="data")
    built = folder / "src" / "hubbub" / "web_dist"
    if not built.exists():
        built.symlink_to(ROOT / "src" / "hubbub" / "web_dist")
    return folder / "src", commit
