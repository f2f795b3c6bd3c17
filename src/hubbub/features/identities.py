"""Identities: people whom the app around this one has recognised. Their accounts are made in accounts.py."""

from dataclasses import dataclass

from sqlalchemy import Connection

from hubbub.domain.commands import RevokeIdentity
from hubbub.domain.events import IdentityRevoked
from hubbub.domain.identities import Identity
from hubbub.domain.model import SECURITY, Actor, Role
from hubbub.storage import accounts, identities, log
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """The account of an identity, at the moment of asking."""

    user: int
    name: str
    role: Role
    disabled: bool
    revoked: int


def revoke(command: RevokeIdentity, actor: Actor, tx: Transaction) -> Answer:
    """Noted also for somebody who has never been here: the first greeting may be under way."""
    known = identities.find(tx.connection, command.issuer, command.subject)
    entry = tx.append(IdentityRevoked(user=known.user if known is not None else None))
    identities.revoke(tx, command.issuer, command.subject, entry.seq)
    return {}


def position(connection: Connection) -> int:
    """Where the security topic stands: read before somebody is recognised, it tells which revocations came after."""
    found = log.position(connection, SECURITY)
    return 0 if found is None else found[0]


def recognise(connection: Connection, who: Identity) -> KnownIdentity | None:
    """The person's account, None where there is none or where its name or role are not what `who` says now."""
    known = identities.find(connection, who.issuer, who.subject)
    account = accounts.find(connection, known.user) if known is not None and known.user is not None else None
    if known is None or account is None:
        return None
    if account.open_name and (known.name != who.name or account.role != who.role):
        return None
    return KnownIdentity(account.id, account.name, account.role, account.disabled, known.revoked)
