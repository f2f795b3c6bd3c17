"""Run `hubbub` under the system call filter and the memory rule of deploy/hubbub.service.

Usage: `-m tests.deploy.confined`. With CONFINED_WITHOUT the calls of that name are refused as well.
"""

import ctypes
import os
import subprocess

from hubbub.cli import main
from tests.deploy.unit import service

ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM)
PR_SET_MDWE = 65


def calls(group: str) -> set[str]:
    """Return the system calls of one of systemd's groups."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    found = set[str]()
    for line in map(str.strip, done.stdout.splitlines()[1:]):
        if line.startswith("@"):
            found |= calls(line)
        elif line and not line.startswith("#"):
            found.add(line)
    return found


def allowed() -> set[str]:
    found = set[str]()
    for value in service("SystemCallFilter"):
        for group in value.removeprefix("~").split():
            found = found - calls(group) if value.startswith("~") else found | calls(group)
    return (found | calls("@default")) - {os.environ.get("CONFINED_WITHOUT", "")}


def confine() -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
    for name in allowed():
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(rules, ctypes.c_uint32(ALLOW), number, 0)
    assert service("MemoryDenyWriteExecute") == ["yes"]
    ctypes.CDLL(None).prctl(PR_SET_MDWE, 1, 0, 0, 0)  # kernels before 6.3 do not know it
    assert seccomp.seccomp_load(rules) == 0
    try:
        os.nice(1)
    except PermissionError:
        return
    raise AssertionError("the filter does not work: setpriority is in @resources")


if __name__ == "__main__":
    confine()
    main()
