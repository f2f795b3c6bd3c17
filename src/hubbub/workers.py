"""`hubbub serve --workers N`: several processes that serve one port.

The parent process forks the workers and does nothing else. Each worker is a node of the site, like a
server on a machine of its own, and opens the port for itself (SO_REUSEPORT): the kernel distributes
connections evenly, also when thousands arrive at once, and a worker that has ended gets none.

Parent and worker talk over a pair of sockets, a byte a message: the worker says that it is READY, is
told to OPEN the port, says that it is SERVING, and is told to GREET the operator, which one of them
does, or to PASS. All workers open at once, so that clients that wait for the start do not all go to
the first. A worker ends when the parent has gone.
"""

import asyncio
import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from hubbub import log
from hubbub.gateways.native.listener import reserved_port
from hubbub.settings import Settings

READY, OPEN, SERVING, GREET, PASS = b"r", b"o", b"s", b"g", b"p"
SHORT_LIFE = 10.0
"""Seconds. A worker that served for a shorter time has failed."""
FAILURES = 5
"""Failures in a row of every worker after which the parent gives up."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds before a worker that has failed is started again. The delay doubles with each failure."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
ENDED_WELL: tuple[int, ...] = (0, -signal.SIGTERM, -signal.SIGINT, 130)
"""The exit codes of a worker that was told to end; all but 0 before it could drain."""

logger = structlog.get_logger(__name__)


class Worker:
    """A worker's side of the sockets to its parent."""

    def __init__(self, number: int, port: int, parent: socket.socket) -> None:
        self.number = number
        self._port = port
        self._parent = parent
        self._orders: asyncio.Queue[bytes] = asyncio.Queue()

    async def wait_for_turn(self, stop: asyncio.Event) -> int | None:
        """Say that all but the port is ready; return the port to open, None if `stop` is set before."""
        self._parent.setblocking(False)
        asyncio.get_running_loop().add_reader(self._parent, self._hear, stop)
        return self._port if await self._obey(READY, stop) == OPEN else None

    async def wait_for_greeting(self, stop: asyncio.Event) -> bool:
        """Say that the port is open; return whether this worker greets the operator."""
        return await self._obey(SERVING, stop) == GREET

    async def _obey(self, message: bytes, stop: asyncio.Event) -> bytes | None:
        """Tell the parent; return its order, None if `stop` is set before."""
        with contextlib.suppress(OSError):  # the parent is gone, which `_hear` notices
            self._parent.send(message)
        order = asyncio.create_task(self._orders.get())
        ending = asyncio.create_task(stop.wait())
        await asyncio.wait((order, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        order.cancel()
        return None if stop.is_set() else order.result()

    def _hear(self, stop: asyncio.Event) -> None:
        try:
            orders = self._parent.recv(64)
        except BlockingIOError:
            return
        except OSError:
            orders = b""
        for order in orders:
            self._orders.put_nowait(bytes((order,)))
        if not orders:
            asyncio.get_running_loop().remove_reader(self._parent)
            stop.set()


@dataclass
class Child:
    """A worker, as the parent knows it. `pid` and `channel` are None while no process runs."""

    number: int
    pid: int | None = None
    channel: socket.socket | None = None
    heard: set[bytes] = field(default_factory=set)
    serving_since: float | None = None
    failures: int = 0
    start_at: float | None = None
    """When it is started again."""


class Supervisor:
    """The parent process of the workers."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._port = port
        self._children = [Child(number) for number in range(settings.workers)]
        self._opened = self._greeted = self._stopping = False
        self._code = 0
        self._signals: list[int] = []
        """The signals to end that have arrived."""
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)

    def run(self) -> Worker:
        """Start the workers and look after them until all have ended.

        Returns in each worker. The parent ends the program: with 0 after SIGTERM or SIGINT if all
        workers have ended well, else with the code of a worker that could not start, or 1.
        A second signal ends all workers at once.
        """
        self._selector.register(self._woken, selectors.EVENT_READ)
        for number in SIGNALS:
            signal.signal(number, self._signalled)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # what the workers share must not be written to by their collectors
        # The first one alone: it migrates the database and stores the key, and what is wrong is reported once.
        self._children[0].start_at = 0.0
        while True:
            for child in self._children:
                if child.start_at is not None and child.start_at <= time.monotonic() and not self._stopping:
                    worker = self._fork(child)
                    if worker is not None:
                        return worker
            if self._signals and not self._stopping:
                logger.info("stopping_workers", signal=signal.Signals(self._signals[0]).name)
                self._stop(0)
            if len(self._signals) > 1:
                self._end_at_once(self._signals[-1])
            self._advance()
            if self._stopping and all(child.pid is None for child in self._children):
                sys.exit(self._code)
            self._listen()
            for child in self._children:
                self._reap(child)

    # -- what happens

    def _signalled(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _listen(self) -> None:
        """Wait for messages, for a signal, or until a worker must be started."""
        due = [child.start_at for child in self._children if child.start_at is not None and not self._stopping]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4_096)
                continue
            child: Child = key.data
            assert child.channel is not None
            with contextlib.suppress(OSError):
                messages = child.channel.recv(64)
                child.heard.update(bytes((message,)) for message in messages)
                if messages:
                    continue
            self._selector.unregister(child.channel)  # it ends, and is reaped

    def _advance(self) -> None:
        """Give the orders for which it is time."""
        if self._stopping:
            return
        everybody = self._children
        if READY in everybody[0].heard and not self._opened:
            for child in everybody[1:]:
                if child.pid is None and child.start_at is None:
                    child.start_at = 0.0
        self._opened = self._opened or all(READY in child.heard for child in everybody)
        for child in everybody if self._opened else ():
            if READY in child.heard and OPEN not in child.heard:
                self._tell(child, OPEN)
            if SERVING in child.heard and child.serving_since is None:
                child.serving_since = time.monotonic()
                if self._greeted or child is not everybody[0]:
                    self._tell(child, PASS)
        if not self._greeted and all(child.serving_since is not None for child in everybody):
            self._greeted = True
            self._tell(everybody[0], GREET)
            logger.info("workers_serving", workers=len(everybody), port=self._port)

    def _tell(self, child: Child, order: bytes) -> None:
        child.heard.add(order)
        assert child.channel is not None
        with contextlib.suppress(OSError):
            child.channel.send(order)

    def _reap(self, child: Child) -> None:
        """Note the end of a worker, and when it starts again."""
        if child.pid is None:
            return
        ended, status = os.waitpid(child.pid, os.WNOHANG)
        if not ended:
            return
        code = os.waitstatus_to_exitcode(status)
        lived = 0.0 if child.serving_since is None else time.monotonic() - child.serving_since
        self._forget(child)
        if self._stopping:
            if code not in ENDED_WELL:
                self._code = self._code or 1
                logger.error("worker_failed", worker=child.number, code=code)
            return
        child.failures = 0 if lived >= SHORT_LIFE else child.failures + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (child.failures - 1)) if child.failures else 0.0
        if not self._greeted:
            logger.error("worker_failed", worker=child.number, code=code, advice="It ended before it served.")
            self._stop(code if code > 0 else 1)
        elif all(each.failures >= FAILURES for each in self._children):
            advice = f"Every worker has ended within {SHORT_LIFE:g} s, {FAILURES} times in a row. See the log above."
            logger.error("workers_given_up", advice=advice)
            self._stop(1)
        else:
            logger.error("worker_ended", worker=child.number, code=code, restart_seconds=delay)
            child.start_at = time.monotonic() + delay

    def _stop(self, code: int) -> None:
        self._stopping, self._code = True, code
        for child in self._children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)

    def _end_at_once(self, number: int) -> NoReturn:
        """End the workers without draining, as a second signal ends a server without workers."""
        for child in self._children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
        os._exit(128 + number)

    # -- processes

    def _fork(self, child: Child) -> Worker | None:
        """Start a worker. Returns None in the parent."""
        ours, theirs = socket.socketpair()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._leave(ours)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return Worker(child.number, self._port, theirs)
        child.pid, child.channel, child.start_at = pid, ours, None
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, child)
        logger.info("worker_started", worker=child.number, process=pid)
        return None

    def _leave(self, ours: socket.socket) -> None:
        """Give up what belongs to the parent, in a worker."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        # The other workers notice the end of the parent only if no copy of its ends is left.
        for end in (ours, self._wake, self._woken, *(child.channel for child in self._children)):
            if end is not None:
                end.close()

    def _forget(self, child: Child) -> None:
        assert child.channel is not None
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.channel)
        child.channel.close()
        child.pid = child.channel = child.serving_since = None
        child.heard = set()


def start(settings: Settings) -> Worker:
    """Start the workers of the settings; returns in each of them. The parent ends the program.

    Raises WrongSetting, CannotListen.
    """
    settings.check_workers()
    settings.check_bus()
    with reserved_port(settings.host, settings.port) as port:
        worker = Supervisor(settings, port).run()
    log.configure(settings.log_level, settings.log_format, worker=worker.number)
    return worker
