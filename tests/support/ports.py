"""Ports for servers of tests, which may run in parallel."""

import contextlib
import os
import random
import socket

PORTS = range(15_000, 32_000)
"""Below the range from which the kernel takes the ports of outgoing connections."""

_chance = random.SystemRandom()  # the module's default generator is reseeded for each test


def free_port() -> int:
    """Return a port that is free and that no other worker of this run gets."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = _chance.choice(PORTS[worker::workers])
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
