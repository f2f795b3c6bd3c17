"""What a running server is made of, for the gateways: one object, built by the composition root."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from hubbub.clock import Clock
from hubbub.domain.errors import Unavailable
from hubbub.engine.connections import Registry
from hubbub.engine.journal import Journal
from hubbub.engine.limits import Limits
from hubbub.engine.passwords import Passwords
from hubbub.engine.people import People
from hubbub.metrics import Metrics
from hubbub.protocol.tokens import Tokens
from hubbub.settings import Settings
from hubbub.storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")

READ_TIMEOUT = 2.0


class Readers:
    """Queries on the readers' threads, awaited on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``query(connection, …)`` in one read transaction. Raises what it raises, Busy, Unavailable after 2 s."""
        future = self._database.submit(query, *args, **kwargs)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), READ_TIMEOUT)
        except TimeoutError:
            raise Unavailable(retry_after=1.0) from None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a gateway may use. `epoch` names the history this server serves."""

    settings: Settings
    clock: Clock
    database: Database
    read: Readers
    journal: Journal
    registry: Registry
    people: People
    tokens: Tokens
    passwords: Passwords
    limits: Limits
    metrics: Metrics
    epoch: str
