"""Identities of the host application. `accounts.admit` creates their accounts."""

from dataclasses import dataclass

from sqlalchemy import Connection

from hubbub.domain.commands import RevokeIdentity
from hubbub.domain.events import IdentityRevoked
from hubbub.domain.identities import Identity
from hubbub.domain.model import SECURITY, Nothing, Role
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import accounts, identities, log
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """The account of an identity, as read now.

    `revoked` is the position in the security topic of the last revocation, `revoked_at` its time in
    milliseconds since 1970 or None.
    """

    user: int
    name: str
    role: Role
    disabled: bool
    revoked: int
    revoked_at: int | None = None


@handles(RevokeIdentity)
def revoke(request: Request[RevokeIdentity], tx: Transaction) -> Nothing:
    """Revoke an identity.

    It need not have an account yet, because its first log-in may be under way.
    """
    command = request.command
    known = identities.find(tx.connection, command.issuer, command.subject)
    entry = tx.append(IdentityRevoked(user=known.user if known is not None else None))
    identities.revoke(tx, command.issuer, command.subject, entry.seq)
    return {}


def position(connection: Connection) -> int:
    """Return the head of the security topic.

    Read before the host application authenticates a request, it tells which revocations came later.
    """
    found = log.position(connection, SECURITY)
    return 0 if found is None else found[0]


def recognise(connection: Connection, identity: Identity) -> KnownIdentity | None:
    """Return the identity's account; None if it is missing or out of date."""
    known = identities.find(connection, identity.issuer, identity.subject)
    account = accounts.find(connection, known.user) if known is not None and known.user is not None else None
    if known is None or account is None:
        return None
    if not account.is_deleted and (known.name != identity.name or account.role != identity.role):
        return None
    return KnownIdentity(account.id, account.name, account.role, account.disabled, known.revoked, known.revoked_at)
