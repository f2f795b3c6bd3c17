"""Run `hubbub` commands, and keep what a power cut would leave at every moment.

The disk is a file system on a loop device, and its backing file lies on XFS, which clones a file
atomically (FICLONE): a clone holds what the device has received so far, and nothing that only waits
in the kernel's memory. A moment is a step that changes files (an audit event), either side of an
fsync, and each COMMIT of SQLite. There are two kinds of cut. `plain`: only synced data reaches the
disk. `commit`: the file system's own journal was written just before, as it is every few seconds;
on XFS names are on the disk and the content of unsynced files is not, btrfs writes both.

Run as `python -m tests.support.power_recorder PLAN`, a JSON file; writes one JSON line for each
image.
"""

import contextlib
import fcntl
import io
import json
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from hubbub import cli, main
from hubbub.engine.services import Services

FICLONE = 0x40049409
BTRFS_START_SYNC, BTRFS_WAIT_SYNC = 0x80089418, 0x40089416
WRITES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.rmdir", "sqlite3.connect"})
PASSWORD = "correct horse battery staple"

_fsync = os.fsync


class Recorder:
    """Records images of the disk.

    `plan` names the disk, its backing file and device, the folder for images, the kind of cut, and
    the commands.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.mount = str(plan["mount"])
        self.data = Path(plan["data"])
        self.command = ""
        self.moments = 0
        self.claims: dict[str, Any] = {"key": None, "users": [], "backup": False, "restored": False, "restoring": False}
        self._lines: list[dict[str, Any]] = []
        self._inside = threading.Lock()
        self._seen = ""

    def watch(self) -> None:
        """Record a moment at every step from here on."""
        sys.addaudithook(self._audit)
        event.listen(Engine, "commit", lambda _connection: self.moment("commit"))

        def fsync(fd: Any) -> None:
            self.moment("before fsync")
            if self.plan["fsync"]:
                _fsync(fd)
            self.moment("after fsync")

        os.fsync = fsync

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name not in WRITES or not self.command:
            return
        path = arguments[0]
        if name == "open" and not (isinstance(path, str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.mount):
            self.moment(f"{name} {Path(path).name}")

    def moment(self, step: str) -> None:
        """Keep the disk as it is now, before `step`."""
        if not self.command or not self._inside.acquire(blocking=False):
            return  # a step of the recorder itself, or of another thread while an image is made
        try:
            self.moments += 1
            kept = self.moments % self.plan["every"] == 0 or "rename" in step
            if self.plan["cut"] == "commit" and kept:
                self._commit()
            written = Path(self.plan["writes"]).read_text().split()[4:7:2]
            line = {"moment": self.moments, "command": self.command, "step": step, "claims": dict(self.claims)}
            if str(written) == self._seen:  # the same image: only the claims may have grown
                self._lines[-1]["claims"] = line["claims"]
            elif kept:
                self._seen = str(written)
                image = f"{self.plan['images']}/{self.moments}.img"
                self._clone(image)
                line["image"] = image
                self._lines.append(line)
        finally:
            self._inside.release()

    def _clone(self, image: str) -> None:
        source, target = os.open(self.plan["backing"], os.O_RDONLY), os.open(image, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            fcntl.ioctl(target, FICLONE, source)
        finally:
            os.close(source)
            os.close(target)

    def _commit(self) -> None:
        """Make the file system write its journal, and no content of files."""
        if self.plan["system"] == "btrfs":
            descriptor = os.open(self.mount, os.O_RDONLY)
            number = bytearray(struct.pack("Q", 0))
            fcntl.ioctl(descriptor, BTRFS_START_SYNC, number)
            fcntl.ioctl(descriptor, BTRFS_WAIT_SYNC, bytes(number))
        else:  # XFS has one log: an fsync of any other file writes all of it
            descriptor = os.open(f"{self.mount}/bystander", os.O_CREAT | os.O_WRONLY)
            os.write(descriptor, b"x")
            _fsync(descriptor)
        os.close(descriptor)

    def run(self) -> None:
        """Run all commands of the plan in order."""
        greet = main.greet_operator

        async def greet_and_end(services: Services, address: str) -> None:
            await greet(services, address)
            self.claims["key"] = self.claims["key"] or (self.data / "secret.key").read_bytes().hex()
            self.moment("greeted")
            os.kill(os.getpid(), signal.SIGTERM)

        main.greet_operator = greet_and_end
        self.watch()
        for arguments in self.plan["commands"]:
            sys.argv, sys.stdin = ["hubbub", *arguments], io.StringIO(f"{PASSWORD}\n")
            self.command = arguments[0]
            self.claims["restoring"] = self.command == "restore"
            with contextlib.suppress(SystemExit):
                cli.main()
            self.claims["restoring"] = False
            self._claim(arguments)
            self.moment("ended")
        self.command = ""
        summary = {"moments": self.moments, "claims": self.claims}
        text = "\n".join(json.dumps(line) for line in [*self._lines, summary])
        Path(self.plan["record"]).write_text(text)

    def _claim(self, arguments: list[str]) -> None:
        if self.command == "user":
            self.claims["users"] = [arguments[2]]
        elif self.command == "backup":
            self.claims["backup"] = True
        elif self.command == "restore":
            self.claims["restored"] = True


if __name__ == "__main__":
    Recorder(json.loads(Path(sys.argv[1]).read_text())).run()
