"""Power cuts during first start, `user create`, `backup` and `restore`.

They run on XFS and btrfs. These two forget what was not synced; ext4 mostly writes it anyway, and
hides the fault. `make prove` tests every moment; `make test` each ninth and all that rename a file,
with one kind of cut on each file system.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hubbub.control import CreateUser, perform
from hubbub.features import accounts
from hubbub.main import operated
from hubbub.settings import Settings
from hubbub.storage import backup, backup_format
from hubbub.storage.database import Database
from tests.support import depth
from tests.support.disk import loop_device, mounted, needs_loop_devices, small_disk

pytestmark = pytest.mark.faults

NOW = 1_790_000_000_000
SYSTEMS = ("xfs", "btrfs")
CUTS = ("plain", "commit")
SHORT = (("xfs", "commit"), ("btrfs", "plain"))
"""The file systems and kinds of cut with which a missing fsync loses the key."""
CASES = [(system, cut) for system in SYSTEMS for cut in CUTS] if depth.PROVING else SHORT
EVERY = 1 if depth.PROVING else 9


@dataclass
class Record:
    """What one run recorded: images with the state claimed by then, and moments."""

    images: list[dict[str, Any]]
    moments: int
    claims: dict[str, Any]


@pytest.fixture(scope="module")
def other_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A backup of another site with the user bob, and that site's key."""
    folder = tmp_path_factory.mktemp("other")
    settings = Settings(data=folder / "data")

    async def create() -> None:
        async with operated(settings) as services:
            await perform(services, CreateUser(name="bob", role="owner", password="correct horse battery staple"))

    asyncio.run(create())
    with closing(Database(settings.database)) as database, (folder / "other.zip").open("wb") as stream:
        backup.write(database, settings.data, stream, version="0.1.0", now=NOW, progress=lambda done, total: None)
    return folder / "other.zip", (folder / "data" / "secret.key").read_bytes()


@pytest.fixture
def outer(tmp_path: Path) -> Iterator[Path]:
    """An XFS in memory for backing files and their clones."""
    needs_loop_devices()
    with (
        small_disk(tmp_path / "memory", "3g") as memory,
        mounted("xfs", memory / "outer.img", tmp_path / "outer", "2500M") as folder,
    ):
        yield folder


def record(
    outer: Path, system: str, cut: str, commands: list[list[str]], *, fsync: bool = True, every: int = EVERY
) -> Record:
    """Run the commands on a new disk and record images of power cuts, at every `every`th moment."""
    place = outer.parent / "disk"
    backing, images, plan = outer / "disk.img", outer / "images", outer.parent / "plan.json"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    with mounted(system, backing, place, "320M") as disk:
        (disk / "bystander").touch()
        (disk / "out").mkdir()
        subprocess.run(["sync", "--file-system", str(disk)], check=True)
        settings = {
            "system": system, "cut": cut, "fsync": fsync, "every": every,
            "mount": str(disk), "data": str(disk / "site/data"),
            "backing": str(backing), "images": str(images), "writes": f"/sys/block/{loop_device(backing)}/stat",
            "record": str(outer.parent / "record.jsonl"), "commands": commands,
        }  # fmt: skip
        plan.write_text(json.dumps(settings))
        run = [sys.executable, "-m", "tests.support.power_recorder", str(plan)]
        done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    backing.unlink()
    *lines, last = map(json.loads, (outer.parent / "record.jsonl").read_text().splitlines())
    return Record(lines, last["moments"], last["claims"])


async def start(data: Path) -> tuple[bytes, set[str]]:
    """Start a server on what is left; return its key and its users."""
    async with operated(Settings(data=data)) as services:
        found = await services.read(accounts.listing, 0, 100)
        return (data / "secret.key").read_bytes(), {user.name for user in found}


def after_cut(disk: Path, claims: dict[str, Any], other: bytes) -> Iterator[str]:
    """Yield what is wrong after the power has come back."""
    try:
        key, users = asyncio.run(start(disk / "site" / "data"))
    except Exception as error:
        yield f"the server does not start: {error!r}"
        return
    restored = key == other
    if claims["restored"] and not restored:
        yield "the restore is undone"
    if restored and not (claims["restored"] or claims["restoring"]):
        yield "restored before the command began"
    if not restored and claims["key"] not in (None, key.hex()):
        yield "the key is another one"
    if not restored and ("bob" in users or not set(claims["users"]) <= users):
        yield f"users are missing: {users}"
    if restored and users != {"bob"}:
        yield "the restored key belongs to the old database"
    file = disk / "out" / "chat.zip"
    if claims["backup"] and not file.exists():
        yield "the backup is missing"
    if file.exists():
        with backup_format.opened(file) as reader:
            reader.check()


def violations(outer: Path, system: str, recorded: Record, other: bytes, *, first: bool = False) -> list[str]:
    """Mount and check every image in turn; with `first`, stop at the first violation."""
    found = []
    for line in recorded.images:
        with mounted(system, Path(line["image"]), outer.parent / "after") as disk:
            for sentence in after_cut(disk, line["claims"], other):
                found.append(f"{system}, {line['command']}, moment {line['moment']}, before {line['step']}: {sentence}")
        if found and first:
            break
    return found


def commands(disk: Path, file: Path) -> list[list[str]]:
    data = ["--data", str(disk / "site" / "data")]
    return [
        ["serve", "--host", "127.0.0.1", "--port", "0", *data],
        ["user", "create", "ann", "--role", "owner", "--password-stdin", *data],
        ["backup", str(disk / "out" / "chat.zip"), *data],
        ["restore", str(file), "--replace", *data],
        ["serve", "--host", "127.0.0.1", "--port", "0", *data],
    ]


@pytest.mark.parametrize(("system", "cut"), CASES)
def test_after_a_power_cut_at_any_moment_the_server_starts_with_the_same_key(
    outer: Path, other_site: tuple[Path, bytes], system: str, cut: str, record_property: Callable[[str, object], None]
) -> None:
    recorded = record(outer, system, cut, commands(outer.parent / "disk", other_site[0]))
    assert recorded.claims["key"]
    assert recorded.claims["restored"]
    steps = {line["command"] for line in recorded.images}
    assert steps >= {"serve", "user", "backup", "restore"}
    record_property("moments", recorded.moments)
    record_property("images", len(recorded.images))
    found = violations(outer, system, recorded, other_site[1])
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("system", "cut"), SHORT)
def test_control_without_fsync_a_power_cut_loses_the_key(
    outer: Path, other_site: tuple[Path, bytes], system: str, cut: str
) -> None:
    first_start = commands(outer.parent / "disk", other_site[0])[:1]
    recorded = record(outer, system, cut, first_start, fsync=False, every=1)
    assert violations(outer, system, recorded, other_site[1], first=True)
