"""Open many silent sockets: `python -m tests.conformance.crowd PORT COUNT`.

This is a process of its own. It prints how many sockets it opened and then, for each line on stdin,
how many of them the server has not closed. It ends with stdin.
"""

import contextlib
import select
import socket
import struct
import sys

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, so that no port stays in TIME_WAIT."""


def arrive(port: int, count: int) -> list[socket.socket]:
    """Open `count` sockets, or as many as connect within the timeout."""
    found = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.settimeout(20)
        try:
            one.connect(("127.0.0.1", port))
        except OSError:
            one.close()
            continue
        found.append(one)
    return found


def still_there(sockets: list[socket.socket]) -> int:
    """Return how many sockets the server has not closed."""
    poll = select.poll()
    for one in sockets:
        one.setblocking(False)
        poll.register(one, select.POLLIN)
    ended = 0
    numbers = {one.fileno(): one for one in sockets}
    for number, _ in poll.poll(0):
        with contextlib.suppress(BlockingIOError):
            try:
                ended += not numbers[number].recv(1)
            except ConnectionError:
                ended += 1
    return len(sockets) - ended


if __name__ == "__main__":
    sockets = arrive(*map(int, sys.argv[1:]))
    print(len(sockets), flush=True)  # noqa: T201
    for _ in sys.stdin:
        print(still_there(sockets), flush=True)  # noqa: T201
