"""What the server does unasked: forgets the old part of the logs and old invites, ends sessions that ran out, frees
guests' names."""

import asyncio
from contextlib import suppress

import structlog

from hubbub.domain.commands import CloseGuest, ForgetInvites, RevokeSessions, TrimTopic
from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.services import Services
from hubbub.features import accounts, sessions
from hubbub.storage import log

logger = structlog.get_logger(__name__)

INTERVAL = 3_600.0
DAY = 86_400_000
INVITES_KEPT = 30 * DAY
"""Milliseconds after its end: until then whoever used an invite up is told where it led, should he ask again."""
TOGETHER = 200
SETTLED = 10_000
"""Milliseconds after which a guest whose account is there has a connection, or never will."""


async def keep_house(services: Services) -> None:
    """Every hour: forgets the old part of the logs, and ends sessions that ran out, but not those in use."""
    while True:
        for step in (touch_sessions, forget_guests, end_expired_sessions, trim, forget_invites):
            try:
                await step(services)
            except HubbubError as error:
                logger.warning("housekeeping_failed", step=step.__name__, code=error.code)
            except Exception as error:  # a bug must not be the last time that anything is tidied up
                logger.exception("housekeeping_stumbled", step=step.__name__, exc_info=error)
        await asyncio.sleep(INTERVAL)


async def touch_sessions(services: Services) -> None:
    """One after the other: they are many, and what people say would wait behind them."""
    for identity in services.hub.identities():
        try:
            await services.journal.submit(services.touching(identity), identity.actor())
        except HubbubError as error:
            if error.retryable:
                raise


async def trim(services: Services) -> int:
    """Removes what is older than the retention from every topic's log, a prefix at a time; returns how many entries."""
    before = services.clock.now() - services.settings.retention_days * DAY
    gone = 0
    while topics := await services.read(log.trimmable, before):
        for topic in topics:
            receipt = await services.journal.submit(TrimTopic(topic=topic, before=before), SYSTEM)
            gone += int(str(receipt.answer["gone"]))
    return gone


async def forget_invites(services: Services) -> None:
    """Those that ended some time ago, a step at a time."""
    command = ForgetInvites(before=services.clock.now() - INVITES_KEPT)
    while (await services.journal.submit(command, SYSTEM)).answer["gone"] == command.limit:
        pass


async def end_expired_sessions(services: Services) -> None:
    while found := await services.read(sessions.expired, services.clock.now()):
        for user, session in found:
            actor = Actor(id=user, name="", role=Role.MEMBER, session=session, system=True)
            with suppress(NotFound):  # it was ended meanwhile
                await services.journal.submit(RevokeSessions(session=session), actor)


async def forget_guests(services: Services, settled: int = SETTLED) -> None:
    """Guests without a connection: a crash, or a store that did not answer in time, has left them over."""
    found = await services.read(accounts.open_guests, services.clock.now() + 1 - settled)
    gone = [user for user in found if not services.hub.is_connected(user)]
    for start in range(0, len(gone), TOGETHER):  # in one batch, since the port opens only after it
        closing = [services.journal.submit(CloseGuest(user=user), SYSTEM) for user in gone[start : start + TOGETHER]]
        await asyncio.gather(*closing)
