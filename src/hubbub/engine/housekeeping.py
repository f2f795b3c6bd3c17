"""Housekeeping: work that the server does by itself at intervals.

It trims logs, deletes old invites, ends expired sessions and closes abandoned guest accounts.
"""

import asyncio
from contextlib import suppress

import structlog

from hubbub.domain.commands import CloseGuest, ForgetDeadLetters, ForgetInvites, RevokeSessions, TrimTopic
from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.services import Services
from hubbub.features import accounts, sessions
from hubbub.storage import log

logger = structlog.get_logger(__name__)

INTERVAL = 3_600.0
DAY = 86_400_000
INVITES_KEPT = 30 * DAY
"""Milliseconds for which an ended invite is kept: a user who used it up and opens it again is led
to its room."""
GUESTS_PER_BATCH = 200
SETTLED = 10_000
"""Milliseconds within which a new guest connects. A guest without a connection after them never
will."""


async def keep_house(services: Services) -> None:
    """Run all steps every hour.

    Sessions in use are touched first, so that they do not expire.
    """
    while True:
        for step in (touch_sessions, forget_guests, end_expired_sessions, trim, forget_invites, forget_dead_letters):
            try:
                await step(services)
            except HubbubError as error:
                logger.warning("housekeeping_failed", step=step.__name__, code=error.code)
            except Exception as error:  # a bug in one step must not end housekeeping
                logger.exception("housekeeping_stumbled", step=step.__name__, exc_info=error)
        await asyncio.sleep(INTERVAL)


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


async def trim(services: Services) -> int:
    """Remove log entries older than the retention; return how many.

    Each topic is trimmed a prefix at a time.
    """
    before = services.clock.now() - services.settings.retention_days * DAY
    gone = 0
    while topics := await services.read(log.trimmable, before):
        for topic in topics:
            receipt = await services.journal.submit(TrimTopic(topic=topic, before=before), SYSTEM)
            gone += receipt.answer["gone"]
    return gone


async def forget_invites(services: Services) -> None:
    """Delete invites that ended more than INVITES_KEPT ago, in steps."""
    command = ForgetInvites(before=services.clock.now() - INVITES_KEPT)
    while (await services.journal.submit(command, SYSTEM)).answer["gone"] == command.limit:
        pass


async def forget_dead_letters(services: Services) -> None:
    """Delete dead letters older than the log: their entries are gone."""
    command = ForgetDeadLetters(before=services.clock.now() - services.settings.retention_days * DAY)
    while (await services.journal.submit(command, SYSTEM)).answer["gone"] == command.limit:
        pass


async def end_expired_sessions(services: Services) -> None:
    while found := await services.read(sessions.expired, services.clock.now()):
        for user, session in found:
            actor = Actor(id=user, name="", role=Role.MEMBER, session=session, system=True)
            with suppress(NotFound):  # the session has ended meanwhile
                await services.journal.submit(RevokeSessions(session=session), actor)


async def forget_guests(services: Services, settled: int = SETTLED) -> None:
    """Close guest accounts without a connection.

    They are left by a crash or by a store that did not answer in time. `settled` is the least age
    of an account, in milliseconds.
    """
    found = await services.read(accounts.open_guests, services.clock.now() + 1 - settled)
    gone = [user for user in found if not services.hub.is_connected(user)]
    for start in range(0, len(gone), GUESTS_PER_BATCH):  # in batches, since the port opens only after them
        batch = gone[start : start + GUESTS_PER_BATCH]
        await asyncio.gather(*(services.journal.submit(CloseGuest(user=user), SYSTEM) for user in batch))
