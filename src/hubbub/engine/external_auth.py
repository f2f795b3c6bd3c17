"""The app around this one, where there is one: it knows who people are, and is asked at each request and greeting."""

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
"""Seconds the app has to say who somebody is."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How the app is asked. What `authenticate` is given is the gateway's business: an ASGI scope.

    `ambient`: browsers send the credential unasked (a cookie), so that it counts only from listed pages.
    """

    authenticate: Authenticate
    ambient: bool


class ExternalAuth:
    """The app at work.

    A revocation that comes while somebody is being recognised must not be missed. So the position of the security
    topic is noted first, and stays in the session's name: whoever was revoked after it is nobody.
    """

    def __init__(self, login: AuthSettings, read: Read, journal: Journal) -> None:
        self.ambient = login.ambient
        self._authenticate = login.authenticate
        self._read = read
        self._journal = journal

    async def identify(self, connection: Any) -> sessions.AuthenticatedUser:
        """Whoever this is. Raises Unauthenticated, Forbidden (locked out here), and whatever `authenticate` raises."""
        seen = await self._read(identities.position)
        who = await self._ask(connection)
        known = await self._read(identities.recognise, who)
        if known is None:
            command = AdmitIdentity(issuer=who.issuer, subject=who.subject, name=who.name, role=Role(who.role))
            await self._journal.submit(command, SYSTEM)
            known = await self._read(identities.recognise, who)
        if known is None or known.disabled:
            raise Forbidden("This account is closed.")
        if known.revoked > seen:
            raise Unauthenticated()
        return sessions.hosted(known.user, known.name, known.role, seen)

    async def revoke(self, issuer: str, subject: str) -> None:
        """Ends every connection of the person whom the app recognised before this."""
        await self._journal.submit(RevokeIdentity(issuer=issuer, subject=subject), SYSTEM)

    async def _ask(self, connection: Any) -> Identity:
        try:
            async with asyncio.timeout(TIMEOUT):
                who = await self._authenticate(connection)
        except TimeoutError:
            raise Unavailable("Nobody can tell at the moment who you are. Try again.", retry_after=1.0) from None
        if who is None:
            raise Unauthenticated()
        if not isinstance(who, Identity):
            raise TypeError(f"authenticate must return a hubbub.Identity or None, not {type(who).__name__}")
        return who
