"""What a running server is made of, for the gateways: one object, built by the composition root."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from hubbub.clock import Clock
from hubbub.domain.commands import TouchSession
from hubbub.domain.errors import Unauthenticated, Unavailable
from hubbub.engine.connections import Registry
from hubbub.engine.journal import Journal
from hubbub.engine.limits import Limits
from hubbub.engine.passwords import Passwords
from hubbub.engine.people import People
from hubbub.features import sessions
from hubbub.features.sessions import Identity
from hubbub.metrics import Metrics
from hubbub.protocol.tokens import Credential, Tokens
from hubbub.settings import Settings
from hubbub.storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")

READ_TIMEOUT = 2.0
DAY = 86_400_000


class Readers:
    """Queries on the readers' threads, awaited on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``query(connection, …)`` in one read transaction. Raises what it raises, Busy, Unavailable after 2 s."""
        future = self._database.submit(query, *args, **kwargs)
        try:
            # Not wait_for: up to Python 3.11 it swallows a cancellation that comes when the future is done.
            async with asyncio.timeout(READ_TIMEOUT):
                return await asyncio.wrap_future(future)
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

    @property
    def lifetimes(self) -> tuple[int, int]:
        """(idle, longest) of a session, in milliseconds."""
        return self.settings.session_idle_days * DAY, self.settings.session_max_days * DAY

    def touch(self, identity: Identity) -> None:
        """Notes that the session is in use; nobody waits for it, and a note that gets lost comes again."""
        command = self.touching(identity)
        self.journal.enqueue(command, identity.actor(), lambda _result: None, command)

    def touching(self, identity: Identity) -> TouchSession:
        idle, longest = self.lifetimes
        return TouchSession(session=identity.session, user=identity.user, idle=idle, longest=longest)

    async def identify(self, credentials: Sequence[Credential]) -> Identity:
        """Whose these are. Raises Unauthenticated if there are none, one is worthless, or they are two people's."""
        identity: Identity | None = None
        now = self.clock.now()
        for credential in credentials:
            found = await self.read(sessions.resolve, self.tokens.reference(credential, now), now)
            if found is None or found.browser != (credential.kind == "cookie"):
                raise Unauthenticated()
            if identity is not None and identity.user != found.user:
                raise Unauthenticated()
            identity = found
        if identity is None:
            raise Unauthenticated()
        return identity
