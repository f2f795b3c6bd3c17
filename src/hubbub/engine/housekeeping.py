"""What the server does unasked: forgets the old part of the logs, ends sessions that ran out, frees guests' names."""

import asyncio

import structlog

from hubbub.domain.commands import CloseGuest, RevokeSessions, TrimTopic
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.services import Services
from hubbub.features import accounts, sessions
from hubbub.storage import log

logger = structlog.get_logger(__name__)

INTERVAL = 3_600.0
DAY = 86_400_000


async def keep_house(services: Services) -> None:
    """Every hour: forgets the old part of the logs, and ends sessions that ran out, but not those in use."""
    while True:
        try:
            for identity in services.people.identities():
                services.touch(identity)
            await end_expired_sessions(services)
            await trim(services)
        except HubbubError as error:
            logger.warning("housekeeping_failed", code=error.code)
        await asyncio.sleep(INTERVAL)


async def trim(services: Services) -> int:
    """Removes what is older than the retention from every topic's log, a prefix at a time; returns how many entries."""
    before = services.clock.now() - services.settings.retention_days * DAY
    gone = 0
    while topics := await services.read(log.trimmable, before):
        for topic in topics:
            receipt = await services.journal.submit(TrimTopic(topic=topic, before=before), SYSTEM)
            gone += int(str(receipt.answer["gone"]))
    return gone


async def end_expired_sessions(services: Services) -> None:
    for user, session in await services.read(sessions.expired, services.clock.now()):
        actor = Actor(id=user, name="", role=Role.MEMBER, session=session)
        await services.journal.submit(RevokeSessions(session=session), actor)


async def forget_guests(services: Services) -> None:
    """Guests whose connections a crash has ended."""
    for user in await services.read(accounts.open_guests):
        await services.journal.submit(CloseGuest(user=user), SYSTEM)
