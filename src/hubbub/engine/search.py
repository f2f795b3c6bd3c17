"""The follower that keeps the search index up, and the task that builds the index.

The index is built when there is none, when another version of the tokeniser has made it, after a
backup was restored, and when the operator asks for it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from time import monotonic

import structlog

from hubbub.domain.commands.search import AbandonIndex, ClearIndex, ExtendIndex, IndexMessages, RebuildIndex, StartIndex
from hubbub.domain.errors import Busy, Unavailable
from hubbub.domain.events import Entry, MessageSent
from hubbub.domain.model import SYSTEM, Wire, room_topic
from hubbub.domain.search.tokens import VERSION
from hubbub.engine.follower import Follower
from hubbub.engine.followers import Followers
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.features import search_index
from hubbub.storage.search_index import count_messages, state

PATIENCE = 1.0
"""Seconds to wait after the database did not answer."""
REST = 0.5
"""How long the task rests after a step, as a part of the time that the step took."""
CHECK = 10.0
"""Seconds between two looks at the state of a complete index."""
ROOM = len(room_topic(0)) - 1

logger = structlog.get_logger(__name__)


class Progress(Wire):
    """How far the search index is built."""

    complete: bool
    done_count: int
    """How many messages are indexed. New messages do not count."""
    total_count: int


class SearchFollower(Follower):
    """Adds new messages to the index. Edits and deletions change it in their own transactions."""

    name = "search"
    scope = "room:"
    types = frozenset({MessageSent.type})
    pause = 0.3  # a busy site costs few statements, and a message is found within half a second

    def __init__(self, read: Read) -> None:
        self._read = read

    async def handle(self, topic: str, entries: Sequence[Entry]) -> IndexMessages:
        seqs = [entry.seq for entry in entries]
        return IndexMessages(documents=tuple(await self._read(search_index.documents_at, int(topic[ROOM:]), seqs)))

    async def reset(self, topic: str, floor: int) -> AbandonIndex:
        """Entries are gone, and with them the knowledge of which messages are not indexed."""
        return AbandonIndex()


class SearchIndex:
    """Builds the index. Must be used on the event loop's thread."""

    def __init__(self, read: Read, journal: Journal) -> None:
        self._read, self._journal = read, journal
        self._wake = asyncio.Event()

    async def run(self, followers: Followers | None = None) -> None:
        """Build the index whenever it has to be built, for ever."""
        while True:
            try:
                if followers is not None:  # what is sent from now on is the follower's part
                    await followers.add(SearchFollower(self._read))
                    followers = None
                while await self.step():
                    pass
                await self._pause()
            except (Busy, Unavailable):
                await asyncio.sleep(PATIENCE)
            except Exception as error:  # a bug must not end the task
                logger.exception("search_index_stumbled", exc_info=error)
                await asyncio.sleep(PATIENCE)

    async def step(self) -> bool:
        """Do a part of the work. Returns False if the index is complete."""
        started = monotonic()
        found = await self._read(state)
        if found.tokeniser != VERSION:
            if (await self._journal.submit(ClearIndex(), SYSTEM)).answer["gone"]:
                return True
            total = await self._read(count_messages)
            await self._journal.submit(StartIndex(total=total), SYSTEM)
            if total:
                logger.info("search_index_started", messages=total)
            return True
        if found.is_complete:
            return False
        until, documents = await self._read(search_index.documents_below, found.low)
        command = ExtendIndex(low=found.low, until=until, documents=tuple(documents))
        await self._journal.submit(command, SYSTEM)
        if until == 0:
            logger.info("search_index_complete")
        await asyncio.sleep(REST * (monotonic() - started))
        return True

    async def rebuild(self) -> None:
        """Begin to build the index from the start. Raises HubbubError."""
        await self._journal.submit(RebuildIndex(), SYSTEM)
        self._wake.set()

    async def progress(self) -> Progress:
        found = await self._read(state)
        done = found.done if found.tokeniser == VERSION else 0
        complete = found.tokeniser == VERSION and found.is_complete
        return Progress(complete=complete, done_count=done, total_count=max(done, found.total))

    async def _pause(self) -> None:
        """Wait for a rebuild, also one that the follower or another server has asked for."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK):
                await self._wake.wait()
