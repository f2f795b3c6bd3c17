"""Authentication by the host application.

The host application is asked at each request and each greeting.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from anyio import CapacityLimiter, to_thread

from hubbub.domain.commands import AdmitIdentity, RevokeIdentity
from hubbub.domain.errors import Forbidden, Unauthenticated, Unavailable
from hubbub.domain.identities import Identity, began_before
from hubbub.domain.model import SYSTEM, Role
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.features import identities, sessions

Authenticate = Callable[[Any], Awaitable[Identity | None] | Identity | None]
TIMEOUT = 10.0
"""Seconds in which the host application must identify a user."""
THREADS = 40
"""How many calls of a plain function run at a time. Starlette runs as many plain endpoints."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How the host application identifies users."""

    authenticate: Authenticate
    """The host application's callback. The gateway decides what it passes: an ASGI scope."""
    ambient: bool
    """True if browsers send the credential by themselves (a cookie). It then counts only from
    allowed origins."""
    blocks: bool = False
    """True if the callback is a plain function, which runs in a thread."""
    login_url: str | None = None
    """Where the web client sends visitors whom the host application does not know."""
    token_url: str | None = None
    """Where the web client gets a bearer token from the host application."""


class ExternalAuth:
    """Identifies users through the host application.

    A revocation that happens while a user is being identified must not be missed. Therefore the
    position of the security topic is read first and kept in the session's id: a later revocation
    invalidates the session.
    """

    def __init__(self, login: AuthSettings, read: Read, journal: Journal) -> None:
        self.ambient = login.ambient
        self.login_url = login.login_url
        self.token_url = login.token_url
        self._authenticate = login.authenticate
        self._threads = _Threads(THREADS) if login.blocks else None
        self._read = read
        self._journal = journal

    async def identify(self, connection: Any) -> sessions.AuthenticatedUser:
        """Return the user of a request or a WebSocket.

        Creates or updates the account if necessary. Raises Unauthenticated, Forbidden (the account
        is disabled), Unavailable, and whatever `authenticate` raises.
        """
        seen = await self._read(identities.position)
        identity = await self._ask(connection)
        known = await self._read(identities.recognise, identity)
        if known is None:
            command = AdmitIdentity(
                issuer=identity.issuer, subject=identity.subject, name=identity.name, role=Role(identity.role)
            )
            await self._journal.submit(command, SYSTEM)
            known = await self._read(identities.recognise, identity)
        if known is None or known.disabled:
            raise Forbidden("This account is closed.")
        if known.revoked > seen or began_before(identity, known.revoked_at):
            raise Unauthenticated()
        return sessions.hosted(known.user, known.name, known.role, seen)

    async def revoke(self, issuer: str, subject: str) -> None:
        """End every connection of this identity that was authenticated before now."""
        await self._journal.submit(RevokeIdentity(issuer=issuer, subject=subject), SYSTEM)

    async def _ask(self, connection: Any) -> Identity:
        try:
            async with asyncio.timeout(TIMEOUT):
                found = (
                    self._authenticate(connection)
                    if self._threads is None
                    else await self._threads.run(partial(self._authenticate, connection))
                )
                identity = await found if inspect.isawaitable(found) else found
        except TimeoutError:
            raise Unavailable("Sign-in is temporarily unavailable. Try again.", retry_after=1.0) from None
        if identity is None:
            raise Unauthenticated()
        if not isinstance(identity, Identity):
            raise TypeError(f"authenticate must return a hubbub.Identity or None, not {type(identity).__name__}")
        return identity


class _Threads:
    """Runs plain functions in a bounded number of threads.

    A caller that gives up leaves its thread at work, and the thread keeps its place until the
    function returns. Functions that hang can therefore not take more than `most` threads.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self._limiter = CapacityLimiter(most)

    async def run(self, function: Callable[[], Any]) -> Any:
        await self._places.acquire()
        call = _Call(function, partial(asyncio.get_running_loop().call_soon_threadsafe, self._places.release))
        try:
            return await to_thread.run_sync(call.run, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            call.give_up()


class _Call:
    """One call in a thread. `done` is called once: after it, or when it was given up before it began."""

    def __init__(self, function: Callable[[], Any], done: Callable[[], object]) -> None:
        self._function = function
        self._done = done
        self._begun = Lock()

    def run(self) -> Any:
        if not self._begun.acquire(blocking=False):
            return None
        try:
            return self._function()
        finally:
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                self._done()

    def give_up(self) -> None:
        if self._begun.acquire(blocking=False):
            self._done()
