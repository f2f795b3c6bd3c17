"""Stores the positions of followers, many with one command."""

import asyncio
from collections import deque

from hubbub.domain.commands.followers import (
    AdvanceFollowers,
    Move,
)
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import SYSTEM
from hubbub.engine.journal import Journal
from hubbub.features.shared.followers import REFUSALS

MAX_MOVES = 200
"""Positions that one command stores."""


class Positions:
    """Stores positions: those that come while a command is being written go into the next one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[tuple[Move, asyncio.Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def store(self, move: Move) -> None:
        """Store a position. Raises Fenced, MovedElsewhere, Unavailable, Busy."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((move, future))
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        await future

    async def stop(self) -> None:
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._write_some()
        finally:
            self._task = None

    async def _write_some(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(MAX_MOVES, len(self._waiting)))]
        try:
            command = AdvanceFollowers(moves=tuple(move for move, _ in taken))
            outcomes = (await self._journal.submit(command, SYSTEM)).answer["outcomes"]
        except HubbubError as error:
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(taken, outcomes, strict=True):
            if future.done():
                continue
            if outcome in REFUSALS:
                future.set_exception(REFUSALS[outcome]())
            else:
                future.set_result(None)
