"""Housekeeping: work that the server does by itself at intervals.

It trims logs, deletes what ended long ago, ends expired sessions and closes abandoned guest
accounts. What it deletes by age waits until the clock can be trusted.

On a site of several nodes, one of them works for the site: the owner of a lease. The others only note
which of their sessions are in use. Each step may be repeated, and may end in the middle. What is
deleted is fenced, so that a node that stood still deletes nothing by what it knew before.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog

from hubbub.domain.commands import ForgetDeadLetters, Prunable, Prune, RevokeSessions, TrimTopic
from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.domain.text import timestamp
from hubbub.engine.guests import forget_guests
from hubbub.engine.services import Services
from hubbub.engine.site_lease import SiteLease
from hubbub.features import sessions
from hubbub.features.shared.followers import HOUSEKEEPING, Fenced
from hubbub.storage import epochs, log
from hubbub.storage.db_errors import StatementRejected

logger = structlog.get_logger(__name__)

Step = Callable[[Services], Awaitable[object]]
INTERVAL = 3_600.0
DAY = 86_400_000
FILE_INTERVAL = 1.0
"""Seconds between two looks at the name of the SQLite file."""
KEPT: dict[Prunable, int] = {"answers": 30 * DAY, "invites": 30 * DAY, "tokens": DAY}
"""Milliseconds for which rows are kept after their end.

- answers: a command with the same key gets the same answer. Clients retry for minutes, or when they
  are opened again.
- invites: a user who used one up and opens it again is led to its room.
- tokens: an expired one is refused like an unknown one.
"""
CLOCK_AGREES = 7 * DAY
"""Milliseconds between the clock and the newest event up to which the clock is trusted at once."""
RETRY = 1.0
"""Seconds after which a node asks for the lease again, if the database did not answer."""


async def watch_history(services: Services) -> None:
    """Check at intervals whether the database went back in time, also while nothing is written.

    One query every MARK_INTERVAL. Writes the high-water mark if anything was committed since.
    """
    written, due = services.history.mark, epochs.MARK_INTERVAL
    while True:
        await asyncio.sleep(FILE_INTERVAL)
        if services.database.is_replaced():
            services.journal.suspect()  # a SQLite file; reads go on in the old one, or are refused, until then
            continue
        due -= FILE_INTERVAL
        if due > 0:
            continue
        mark, due = services.history.mark, epochs.MARK_INTERVAL
        try:
            epoch, complete = await services.read(epochs.seen, mark.commit)
        except (HubbubError, StatementRejected):
            services.journal.suspect()  # the database does not answer: the writer looks when it does
            continue
        if not complete or epoch != mark.epoch:
            services.journal.suspect()
        elif mark != written:
            await asyncio.to_thread(services.history.write, services.settings.data, mark)
            written = mark


async def keep_house(services: Services) -> None:
    """Run all steps every hour, and when another node has ended that did it."""
    started = services.clock.monotonic()
    lease = await _compete(services) if services.bus.connects else None
    while True:
        if lease is not None and lease.taken.is_set():
            lease.taken.clear()
            logger.info("housekeeping_taken", owner=services.followers.owner)
        await run_steps(services, services.clock.monotonic() - started, lease)
        if lease is None:
            await asyncio.sleep(INTERVAL)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL):
                await lease.taken.wait()


async def _compete(services: Services) -> SiteLease:
    while True:
        try:
            return await services.followers.hold(HOUSEKEEPING)
        except HubbubError as error:
            logger.warning("housekeeping_failed", step="lease", code=error.code)
            await asyncio.sleep(RETRY)


async def run_steps(services: Services, running: float, lease: SiteLease | None = None) -> None:
    """Run all steps once. `running` is for how many seconds the server has been running.

    Sessions in use are touched first, so that they do not expire. Steps that delete by age are left
    out until the clock is trusted: a machine that starts with a wrong clock must not lose its log.
    With a `lease` that this node does not hold, another node does what is done for the site.
    """
    steps: list[Step] = [touch_sessions]
    if lease is None or lease.held:
        if lease is None:  # else `keep_guests` does it
            steps.append(forget_guests)
        if running >= INTERVAL or await is_clock_right(services):
            steps += [partial(step, lease=lease) for step in (end_expired_sessions, trim, prune, forget_dead_letters)]
    for step in steps:
        try:
            await step(services)
        except Fenced:
            logger.info("housekeeping_moved")
            return
        except HubbubError as error:
            logger.warning("housekeeping_failed", step=_name(step), code=error.code)
        except Exception as error:  # a bug in one step must not end housekeeping
            logger.exception("housekeeping_stumbled", step=_name(step), exc_info=error)


def _name(step: Step) -> str:
    return str((step.func if isinstance(step, partial) else step).__name__)


async def is_clock_right(services: Services) -> bool:
    """Return whether the clock is near the newest event, or nothing has happened yet."""
    try:
        newest = await services.read(log.newest)
    except HubbubError:
        return False
    now = services.clock.now()
    if newest is None or abs(now - newest.at) <= CLOCK_AGREES:
        return True
    logger.warning("clock_doubted", newest=timestamp(newest.at), now=timestamp(now), seconds=INTERVAL)
    return False


async def touch_sessions(services: Services) -> None:
    """Note that the sessions with a live connection are in use.

    One after the other: they are many, and the users' messages would wait behind them.
    """
    for identity in services.hub.identities():
        try:
            await services.journal.submit(services.touching(identity), identity.actor())
        except HubbubError as error:
            if error.retryable:
                raise


async def trim(services: Services, lease: SiteLease | None = None) -> int:
    """Remove log entries older than the retention; return how many.

    Walks over all topics. Each is trimmed a prefix at a time. Raises Fenced.
    """
    before = services.clock.now() - services.site.retention_days * DAY
    gone, after = 0, ""
    while True:
        topics, last = await services.read(log.trimmable, before, after)
        for topic in topics:
            command = TrimTopic(topic=topic, before=before)
            trimmed = command.limit
            while trimmed == command.limit:
                trimmed = await _submit(services, command, lease)
                gone += trimmed
        if last is None:
            return gone
        after = last


async def prune(services: Services, lease: SiteLease | None = None) -> None:
    """Delete what ended longer ago than KEPT says, in steps."""
    for what, kept in KEPT.items():
        command = Prune(what=what, before=services.clock.now() - kept)
        while await _submit(services, command, lease) == command.limit:
            pass


async def forget_dead_letters(services: Services, lease: SiteLease | None = None) -> None:
    """Delete dead letters older than the log: their entries are gone."""
    command = ForgetDeadLetters(before=services.clock.now() - services.site.retention_days * DAY)
    while await _submit(services, command, lease) == command.limit:
        pass


async def _submit(services: Services, command: TrimTopic | Prune | ForgetDeadLetters, lease: SiteLease | None) -> int:
    """Execute a command under the lease and return how many rows it has deleted. Raises Fenced."""
    if lease is not None:
        command = command.model_copy(update={"fence": lease.fence()})
    return int((await services.journal.submit(command, SYSTEM)).answer["gone"])


async def end_expired_sessions(services: Services, lease: SiteLease | None = None) -> None:
    """End sessions that have expired. They are not fenced: an expired session never becomes valid again."""
    while found := await services.read(sessions.expired, services.clock.now()):
        for user, session in found:
            if lease is not None:
                lease.fence()
            actor = Actor(id=user, name="", role=Role.MEMBER, session=session, system=True)
            with suppress(NotFound):  # the session has ended meanwhile
                await services.journal.submit(RevokeSessions(session=session), actor)
