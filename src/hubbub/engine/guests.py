"""Closes the accounts of guests without a connection: left by a crash, or by a store that did not answer.

A site with several nodes has guests of all of them. A node closes those that are connected to no
node, and only while it hears every node that is alive. The lock of the database shows which nodes
are: a node that is cut off from the bus alone still holds it, and its guests stay. A node that is
cut off from the database, too, loses its guests after about a minute. When it is back, it reads in
the log that they have left, and ends their connections.
"""

import asyncio
from collections.abc import Collection

import structlog

from hubbub.domain.commands import CloseGuest
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import SYSTEM
from hubbub.engine.services import Services
from hubbub.features import accounts
from hubbub.storage import postgresql_lock
from hubbub.storage.db_errors import StatementRejected

INTERVAL = 10.0
"""Seconds between two looks on a node with a bus. A guest must be without a connection at two in a row."""
PER_BATCH = 200
SETTLED = 10_000
"""Milliseconds within which a new guest connects. A guest without a connection after them never
will."""
logger = structlog.get_logger(__name__)


async def forget_guests(services: Services, settled: int = SETTLED) -> None:
    """Close guest accounts without a connection. For a server without other nodes.

    `settled` is the least age of an account, in milliseconds.
    """
    await _close(services, await _abandoned(services, settled))


async def keep_guests(services: Services) -> None:
    """Close guest accounts without a connection to any node at intervals, until cancelled."""
    before: Collection[int] = ()
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            found = set(await _abandoned(services, SETTLED)) if await hears_all(services) else set()
            await _close(services, sorted(found.intersection(before)))
        except (HubbubError, StatementRejected) as error:
            logger.warning("guests_not_closed", reason=repr(error))
            found = set()
        before = found


async def hears_all(services: Services) -> bool:
    """Return whether this node knows the users of every node that is alive. Raises HubbubError."""
    if services.site_presence is None:
        return True
    alive = await services.read(postgresql_lock.nodes)
    heard = services.site_presence.nodes()
    return heard is not None and alive <= {services.bus.node, *heard}


async def _abandoned(services: Services, settled: int) -> list[int]:
    found = await services.read(accounts.open_guests, services.clock.now() + 1 - settled)
    hub = services.hub
    return [user for user in found if not hub.is_connected(user) and not hub.presences.is_elsewhere(user)]


async def _close(services: Services, guests: list[int]) -> None:
    for start in range(0, len(guests), PER_BATCH):  # in batches, since the port opens only after them
        batch = guests[start : start + PER_BATCH]
        await asyncio.gather(*(services.journal.submit(CloseGuest(user=user), SYSTEM) for user in batch))
