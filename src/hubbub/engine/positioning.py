"""Compares the live topics of a node with the log at intervals.

Messages between nodes may be lost without a trace. The comparison finds what is missing without any
message: one statement for all topics with connections on this node.
"""

import asyncio

import structlog

from hubbub.domain.errors import HubbubError
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.ports import Bus
from hubbub.storage.db_errors import StatementRejected

INTERVAL = 15.0
"""Seconds between two comparisons while the bus works."""
OUTAGE_INTERVAL = 1.0
"""Seconds between two comparisons while the bus is away, so that revocations take effect soon."""
STEP = 0.25
logger = structlog.get_logger(__name__)


async def keep_positions(hub: ConnectionHub, bus: Bus) -> None:
    """Compare at intervals, until cancelled."""
    waited = 0.0
    while True:
        await asyncio.sleep(STEP)
        waited += STEP
        if waited < (INTERVAL if bus.connected else OUTAGE_INTERVAL):
            continue
        waited = 0.0
        try:
            await hub.compare()
        except (HubbubError, StatementRejected) as error:
            logger.warning("heads_not_compared", reason=repr(error))
