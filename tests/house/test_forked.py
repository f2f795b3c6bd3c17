"""A process forked from a preloaded one is like a newly started process."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import forked

SHOW = """
import json, os, random, resource, secrets, sys, threading
print(json.dumps({
    "arguments": sys.argv[1:], "name": __name__, "folder": os.getcwd(), "path": sys.path[0],
    "word": os.environ["HUBBUB_WORD"],
    "input": sys.stdin.read(), "session": os.getsid(0) == os.getpid(), "threads": threading.active_count(),
    "files": sorted(map(int, os.listdir("/proc/self/fd")))[:4], "limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "chance": [random.random(), secrets.randbits(60)], "parent": os.getppid(), "warm": "hubbub.main" in sys.modules,
}))
"""


def show(folder: Path, *flags: str, fork: bool = True) -> dict[str, Any]:
    """Return what a process reports about itself; by exec if it may not be forked."""
    (folder / "show.py").write_text(SHOW)
    env = {**os.environ, "HUBBUB_WORD": "word"} | ({} if fork else {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"})
    done = forked.run([sys.executable, *flags, "-m", "show", "one", "two"], env=env, cwd=folder, input="text")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_forked_process_differs_from_a_new_one_only_in_what_is_imported(tmp_path: Path) -> None:
    by_fork, by_exec = show(tmp_path), show(tmp_path, fork=False)
    assert (by_fork.pop("warm"), by_exec.pop("warm")) == (True, False)
    assert by_fork.pop("parent") != by_exec.pop("parent")
    assert by_fork.pop("chance") != by_exec.pop("chance")
    assert by_fork == by_exec
    assert by_fork["files"] == [0, 1, 2, 3]  # the last one is the listing itself


def test_two_forked_processes_do_not_share_their_random_state(tmp_path: Path) -> None:
    first, second = show(tmp_path)["chance"], show(tmp_path)["chance"]
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_interpreter_flags_need_a_new_process(tmp_path: Path) -> None:
    assert not show(tmp_path, "-X", "utf8")["warm"]


def test_a_resource_limit_of_this_process_applies_to_forked_ones(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        assert show(tmp_path)["limit"] == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('a sentence')", 1),
        ("raise ValueError('a bug')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import atexit; atexit.register(print, 'at exit')", 0),
        ("import threading; threading.Thread(target=lambda: print('at exit')).start()", 0),
    ],
    ids=["end", "code", "sentence", "exception", "signal", "at exit", "thread"],
)
def test_a_forked_process_ends_as_the_interpreter_ends(tmp_path: Path, program: str, code: int) -> None:
    (tmp_path / "ending.py").write_text(program)
    done = forked.run([sys.executable, "-m", "ending"], env=os.environ, cwd=tmp_path)
    assert done.returncode == code
    assert ("Traceback" in done.stderr) == ("ValueError" in program)
    assert ("a sentence" in done.stderr) == ("sentence" in program)
    assert ("at exit" in done.stdout) == ("at exit" in program)


def test_waiting_for_a_forked_process_ends_in_time_and_kill_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import time; time.sleep(600)")
    with (tmp_path / "log").open("wb") as log:
        process = forked.start([sys.executable, "-m", "sleeper"], env=os.environ, cwd=tmp_path, stdout=log)
    assert isinstance(process, forked.Forked)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    assert process.poll() is None
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
    assert not Path(f"/proc/{process.pid}").exists()
