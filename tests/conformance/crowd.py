"""Many sockets that say nothing, a process of its own: `python -m tests.conformance.crowd PORT COUNT`.

Prints how many it has opened, and then, for each line on stdin, how many of them are still there; ends with stdin.
"""

import contextlib
import select
import socket
import struct
import sys

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: an end that leaves no port waiting."""


def arrive(port: int, count: int) -> list[socket.socket]:
    """As many as can be had; each waits for its place."""
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
    """How many the server has not ended."""
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
