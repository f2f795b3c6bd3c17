"""Invites and one-time links: ways in that are used up. The store never has a token, only its hash."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import CreateInvite, CreateLink, RevokeInvite
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor
from hubbub.storage import accounts, answers, invites
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MAX_INVITES = 1_000
ID_LENGTH = 22


def create(command: CreateInvite, actor: Actor, tx: Transaction) -> Answer:
    """The same key gives the same invite again, also after it was used or taken back."""
    rules.may_invite(actor)
    digest = sha256(f"{command.max_uses}:{command.expires_in}".encode()).hexdigest()
    before = answers.find(tx, actor.id, command.kind, command.key, digest)
    if before is not None:
        return before
    if invites.count(tx.connection, tx.now, MAX_INVITES) >= MAX_INVITES:
        raise Conflict(f"There are {MAX_INVITES} open invites. Take some back first.")
    expires_at = None if command.expires_in is None else tx.now + command.expires_in
    # The id is made from the hash: it names the invite to its admins and opens nothing.
    name = sha256(command.token_hash.encode()).hexdigest()[:ID_LENGTH]
    made = invites.create(tx, name, command.token_hash, command.max_uses, actor.id, expires_at)
    answer: Answer = {"invite": made.model_dump(exclude={"token", "link"})}
    return answers.keep(tx, actor.id, command.kind, command.key, digest, answer)


def revoke(command: RevokeInvite, actor: Actor, tx: Transaction) -> Answer:
    rules.may_invite(actor)
    if not invites.remove(tx, command.invite):
        raise NotFound()
    return {}


def create_link(command: CreateLink, actor: Actor, tx: Transaction) -> Answer:
    """For the server and its command line only: whoever can run those owns the data anyway."""
    if not actor.system:
        raise Forbidden()
    if command.purpose == "setup" and accounts.has_owner(tx.connection):
        raise Conflict("There is an owner already.")
    if command.purpose == "reset":
        account = accounts.find(tx.connection, command.user) if command.user is not None else None
        if account is None or account.disabled or account.password_hash is None:
            raise NotFound()
    invites.create_link(tx, command.purpose, command.token_hash, command.user, command.expires)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, now: int) -> dict[str, object]:
    """The invites that still open a door, for those who may make some. Raises Forbidden."""
    rules.may_invite(actor)
    found = invites.listing(connection, now, MAX_INVITES)
    return {"invites": [invite.model_dump(exclude={"token", "link"}) for invite in found]}


def usable(connection: Connection, token_hash: str, now: int) -> bool:
    """Whether somebody with this token could sign up now."""
    return invites.usable(connection, token_hash, now)


def reset_owner(connection: Connection, token_hash: str, now: int) -> int | None:
    """Whose password a reset link sets; None if there is no such link, or not any more."""
    return invites.link_owner(connection, "reset", token_hash, now)[1]
