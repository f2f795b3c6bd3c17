"""Authentication by the host application.

The host application is asked at each request and each greeting.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hubbub.domain.commands import AdmitIdentity, RevokeIdentity
from hubbub.domain.errors import Forbidden, Unauthenticated, Unavailable
from hubbub.domain.identities import Identity
from hubbub.domain.model import SYSTEM, Role
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.features import identities, sessions

Authenticate = Callable[[Any], Awaitable[Identity | None]]
TIMEOUT = 10.0
"""Seconds in which the host application must identify a user."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How the host application identifies users."""

    authenticate: Authenticate
    """The host application's callback. The gateway decides what it passes: an ASGI scope."""
    ambient: bool
    """True if browsers send the credential by themselves (a cookie). It then counts only from
    allowed origins."""


class ExternalAuth:
    """Identifies users through the host application.

    A revocation that happens while a user is being identified must not be missed. Therefore the
    position of the security topic is read first and kept in the session's id: a later revocation
    invalidates the session.
    """

    def __init__(self, login: AuthSettings, read: Read, journal: Journal) -> None:
        self.ambient = login.ambient
        self._authenticate = login.authenticate
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
        if known.revoked > seen:
            raise Unauthenticated()
        return sessions.hosted(known.user, known.name, known.role, seen)

    async def revoke(self, issuer: str, subject: str) -> None:
        """End every connection of this identity that was authenticated before now."""
        await self._journal.submit(RevokeIdentity(issuer=issuer, subject=subject), SYSTEM)

    async def _ask(self, connection: Any) -> Identity:
        try:
            async with asyncio.timeout(TIMEOUT):
                identity = await self._authenticate(connection)
        except TimeoutError:
            raise Unavailable("Sign-in is temporarily unavailable. Try again.", retry_after=1.0) from None
        if identity is None:
            raise Unauthenticated()
        if not isinstance(identity, Identity):
            raise TypeError(f"authenticate must return a hubbub.Identity or None, not {type(identity).__name__}")
        return identity
