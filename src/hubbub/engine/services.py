"""The parts of a running server, for the gateways.

The composition root builds this one object.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from hubbub.clock import Clock
from hubbub.delivery.fanout import Fanout
from hubbub.domain.commands import TouchSession
from hubbub.domain.errors import HubbubError, Unauthenticated, Unavailable
from hubbub.domain.site_settings import SiteSettings
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.followers import Followers
from hubbub.engine.history import History
from hubbub.engine.journal import Journal
from hubbub.engine.limits import Limits
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.passwords import Passwords
from hubbub.engine.ports import Bus
from hubbub.engine.search import SearchIndex
from hubbub.engine.site_settings import LiveSettings
from hubbub.engine.stopping import Stopping
from hubbub.engine.webhooks import Webhooks
from hubbub.features import sessions
from hubbub.features.sessions import AuthenticatedUser
from hubbub.metrics import Metrics
from hubbub.outbound import OutboundClient
from hubbub.protocol.tokens import Credential, Tokens
from hubbub.settings import Settings
from hubbub.storage.database import Database

if TYPE_CHECKING:
    from hubbub.engine.site_presence import SitePresence

P = ParamSpec("P")
T = TypeVar("T")

READ_TIMEOUT = 2.0
"""Seconds without an answer after which the store counts as unavailable."""
CHECKS = 4
"""How often a read is checked for progress within READ_TIMEOUT."""
DAY = 86_400_000


class Readers:
    """Runs queries on the reader threads and awaits them on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.answered = 0

    async def __call__(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``query(connection, …)`` in one read transaction.

        Raises what it raises, Busy, Unavailable after 2 s. The timeout starts when the query
        starts. A queued query waits as long as the pool makes progress.
        """
        future = self._database.submit(query, *args, **kwargs)
        watched = _Watched(self, future, asyncio.wrap_future(future))
        try:
            answer = await watched.answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not watched.late or (task is not None and task.cancelling()):
                raise
            raise Unavailable(retry_after=1.0) from None
        except HubbubError as error:  # a refusal also shows that the store answers
            self.answered += not isinstance(error, Unavailable)
            raise
        finally:
            watched.timer.cancel()
        self.answered += 1
        return answer


class _Watched(Generic[T]):
    """A read that is checked CHECKS times within READ_TIMEOUT.

    After as many checks without progress it is late.
    """

    __slots__ = ("_before", "_future", "_idle", "_readers", "answer", "late", "timer")

    def __init__(self, readers: Readers, future: Future[T], answer: asyncio.Future[T]) -> None:
        self._readers = readers
        self._future = future
        self.answer = answer
        self.late = False
        self._idle = 0
        self._schedule_check()

    def _schedule_check(self) -> None:
        self._before = self._readers.answered
        self.timer = asyncio.get_running_loop().call_later(READ_TIMEOUT / CHECKS, self._check)

    def _check(self) -> None:
        progress = not self._future.running() and self._readers.answered != self._before
        self._idle = 0 if progress else self._idle + 1
        if self._idle < CHECKS:
            self._schedule_check()
        else:
            self.late = True
            self.answer.cancel()


class Stream(Protocol):
    """A response that lasts until the client or the server ends it."""

    def shutdown(self, among: int) -> None:
        """End it because the server stops: one of so many connections."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a gateway may use."""

    bus: Bus
    settings: Settings
    """The settings of the process. Those of the site are in `site`."""
    live_settings: LiveSettings
    clock: Clock
    database: Database
    read: Readers
    journal: Journal
    fanout: Fanout
    hub: ConnectionHub
    ephemeral: Ephemeral
    followers: Followers
    search: SearchIndex
    outbound: OutboundClient
    webhooks: Webhooks
    tokens: Tokens
    passwords: Passwords
    limits: Limits
    metrics: Metrics
    lost_database: asyncio.Future[str]
    """Done when another server has taken over the database; the result names it. This server must
    then end."""
    history: History
    streams: set[Stream] = field(default_factory=set)
    """The open streams of server-sent events."""
    host_readers: set[Stream] = field(default_factory=set)
    """What reads the log for the host application, and ends as the streams do."""
    site_presence: "SitePresence | None" = None
    """Set on a node with a bus."""
    number: int = 0
    """The number of this process among those that share its data folder."""
    worker: int | None = None
    """The same number if the metrics of all these processes are shown together, else None."""
    stopping: Stopping = field(default_factory=Stopping)
    external_auth: ExternalAuth | None = None
    """Set if the host application authenticates the users."""

    @property
    def site(self) -> SiteSettings:
        """The settings of the site in effect now."""
        return self.live_settings.present

    @property
    def lifetimes(self) -> tuple[int, int]:
        """Return how long a session may be idle and how long it may last, in milliseconds."""
        return self.site.session_idle_days * DAY, self.site.session_max_days * DAY

    def touch(self, identity: AuthenticatedUser) -> None:
        """Note that the session is in use, without waiting.

        A lost note does no harm: another one follows.
        """
        command = self.touching(identity)
        self.journal.enqueue(command, identity.actor(), lambda _result: None, command)

    def touching(self, identity: AuthenticatedUser) -> TouchSession:
        idle, longest = self.lifetimes
        return TouchSession(session=identity.session, user=identity.id, idle=idle, longest=longest)

    async def identify(self, credentials: Sequence[Credential]) -> AuthenticatedUser:
        """Return the user of the credentials.

        Raises Unauthenticated if there are none, if one of them is invalid, or if they belong to
        different users.
        """
        identity: AuthenticatedUser | None = None
        now = self.clock.now()
        for credential in credentials:
            found = await self.read(sessions.resolve, self.tokens.reference(credential, now), now)
            if found is None or found.browser != (credential.kind == "cookie"):
                raise Unauthenticated()
            if identity is not None and identity.id != found.id:
                raise Unauthenticated()
            identity = found
        if identity is None:
            raise Unauthenticated()
        return identity
