"""A network namespace for one node: its way to the bus can be cut, and its clients still reach it.

Needs root. Two pairs of virtual interfaces lead into the namespace: one for clients, one for the
bus. A database is reached by its Unix socket, which has no network. A cut loses all packets of the
bus in both directions without a trace, as a broken switch does: the peers know a wrong hardware
address of each other.
"""

import ctypes
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PYTEST_NAMESPACE"
"""The environment variable with the name of the namespace that a server enters."""
WRONG = "02:00:00:00:00:01"
CLONE_NEWNET = 0x40000000
_chance = random.SystemRandom()


class Namespace:
    """`address` is where clients reach a server in it, and `outside` where the server finds the bus."""

    def __init__(self) -> None:
        number = _chance.randrange(2**16)
        net = f"10.{200 + _chance.randrange(50)}.{number >> 8}"
        base = (number & 0x1F) * 8
        self.name = f"hubbub{number:x}"
        self._links = {kind: f"hb{number:x}{kind}" for kind in ("c", "b")}
        self.address, self.outside, self._inside = f"{net}.{base + 2}", f"{net}.{base + 5}", f"{net}.{base + 6}"
        _ip("netns", "add", self.name)
        self._connect("c", f"{net}.{base + 1}", self.address)
        self._connect("b", self.outside, self._inside)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def _connect(self, kind: str, outside: str, inside: str) -> None:
        link, peer = self._links[kind], f"in-{kind}"
        _ip("link", "add", link, "type", "veth", "peer", "name", peer, "netns", self.name)
        _ip("address", "add", f"{outside}/30", "dev", link)
        _ip("-n", self.name, "address", "add", f"{inside}/30", "dev", peer)
        _ip("link", "set", link, "up")
        _ip("-n", self.name, "link", "set", peer, "up")

    def cut(self) -> None:
        """Lose all packets between the namespace and the bus."""
        _ip("neighbour", "replace", self._inside, "lladdr", WRONG, "dev", self._links["b"], "nud", "permanent")
        _ip("-n", self.name, "neighbour", "replace", self.outside, "lladdr", WRONG, "dev", "in-b", "nud", "permanent")

    def heal(self) -> None:
        _ip("neighbour", "delete", self._inside, "dev", self._links["b"])
        _ip("-n", self.name, "neighbour", "delete", self.outside, "dev", "in-b")

    def remove(self) -> None:
        for link in self._links.values():
            _ip("link", "delete", link)
        _ip("netns", "delete", self.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    try:
        yield made
    finally:
        made.remove()


def enter_own() -> None:
    """Move this process into the namespace of its environment, before it starts a thread."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    descriptor = os.open(Path("/run/netns") / name, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)
