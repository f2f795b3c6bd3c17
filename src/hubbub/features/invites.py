"""Invites and one-time tokens. The database stores their hashes, never the tokens."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import AcceptInvite, CreateInvite, CreateOneTimeToken, RevokeInvite
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import LOBBY, Actor, Invite, InviteAnswer, Nothing, RoomPosition, room_topic
from hubbub.domain.text import milliseconds
from hubbub.features.shared.access import get_room
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.idempotency import OnceByKey
from hubbub.features.shared.membership import enter
from hubbub.storage import accounts, bans, invites, members, rooms
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MAX_INVITES = 1_000
"""Usable invites to the site."""
MAX_ROOM_INVITES = 100
"""Usable invites into one room."""
ID_LENGTH = 22
ROOM_REQUIRED = "Accounts on this server come from the host application. Choose a room for the invite."
UNUSABLE = "This invite was used up or revoked, or it has expired. Ask for a new one."


@handles(CreateInvite)
def create(request: Request[CreateInvite], tx: Transaction) -> InviteAnswer:
    """Create an invite.

    The same key gives the same invite, even after it was used or revoked. Invites by the site's
    staff also allow a sign-up. Those by other users need an account.
    """
    command, actor = request.command, request.actor
    room = None if command.room == LOBBY else command.room
    if room is None and not command.accounts:
        raise Forbidden(ROOM_REQUIRED)
    _may_create(tx.connection, actor, room)
    digest = sha256(f"{command.max_uses}:{command.expires_in}{'' if room is None else f':{room}'}".encode()).hexdigest()
    once = OnceByKey(tx, actor, command, command.key, digest)
    if once.first_answer is not None:
        return {"invite": once.first_answer["invite"]}
    limit = MAX_INVITES if room is None else MAX_ROOM_INVITES
    if invites.count(tx.connection, room, tx.now, limit) >= limit:
        raise Conflict(f"There are already {limit:,} open invites. Revoke some first.")
    expires_at = None if command.expires_in is None else tx.now + command.expires_in
    # The id is derived from the hash: moderators see it, and it does not grant access.
    invite_id = sha256(command.token_hash.encode()).hexdigest()[:ID_LENGTH]
    signup = command.accounts and rules.is_staff(actor)
    new = invites.NewInvite(invite_id, command.token_hash, command.max_uses, actor.id, expires_at, room, signup)
    answer: InviteAnswer = {"invite": _to_answer(invites.create(tx, new))}
    once.keep(answer)
    return answer


@handles(RevokeInvite)
def revoke(request: Request[RevokeInvite], tx: Transaction) -> Nothing:
    """Revoke an invite.

    Raises NotFound also for invites into rooms the actor cannot see.
    """
    command, actor = request.command, request.actor
    found = invites.find(tx.connection, command.invite)
    if found is None:
        raise NotFound()
    if found.room is None:
        rules.may_invite(actor)
    else:
        tx.head(room_topic(found.room))
        rules.may_moderate(actor, get_room(tx.connection, actor.id, found.room))
    if not invites.remove(tx, command.invite):
        raise NotFound()
    return {}


@handles(AcceptInvite)
def accept(request: Request[AcceptInvite], tx: Transaction) -> RoomPosition:
    """Join the room of an invite.

    The invite loses a use only if the actor becomes a member by it. A member may accept an invite
    that is used up: the actor may have used it up, and the answer was lost.
    """
    command, actor = request.command, request.actor
    invite = invites.grant(tx.connection, command.token_hash, tx.now)
    if invite is None:
        raise Forbidden(UNUSABLE)
    room = invite.room or LOBBY
    topic = room_topic(room)
    tx.head(topic)
    if members.role_of(tx.connection, room, actor.id) is not None:
        current = rooms.current(tx, actor.id, room)
        return {"room": current, "topic": topic, "seq": current.head or 0}
    if not invite.open:
        raise Forbidden(UNUSABLE)
    rules.may_enter(actor, archived=invite.archived, banned=bans.holds(tx.connection, room, actor.id))
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, actor.id, [actor.id]))
    if not invites.redeem(tx, command.token_hash):
        raise Forbidden(UNUSABLE)
    joined, entry = enter(tx, room, actor.id, actor.name, actor.id)
    return {"room": joined, "topic": topic, "seq": entry.seq}


@handles(CreateOneTimeToken)
def create_link(request: Request[CreateOneTimeToken], tx: Transaction) -> Nothing:
    """Create a one-time token.

    Only the server and its command line may, which control the data anyway.
    """
    command = request.command
    if command.purpose == "setup" and accounts.has_owner(tx.connection):
        raise Conflict("This site already has an owner.")
    if command.purpose == "reset":
        account = accounts.find(tx.connection, command.user) if command.user is not None else None
        if account is None or account.disabled or account.password_hash is None:
            raise NotFound()
    invites.create_one_time_token(tx, command.purpose, command.token_hash, command.user, command.expires)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, room: int | None, now: int, before: str | None, limit: int) -> Answer:
    """Return a page of usable invites to the site (staff) or a room (moderators).

    `before` is a `Place`. Raises Forbidden, NotFound.
    """
    if room is None:
        rules.may_invite(actor)
    else:
        rules.may_moderate(actor, get_room(connection, actor.id, room))
    position = None
    if before is not None:
        moment, _, invite = before.partition(",")
        position = invites.InvitePosition(milliseconds(moment), invite)
    found = invites.listing(connection, room, now, position, limit + 1)
    return {"invites": [_to_answer(invite) for invite in found[:limit]], "more": len(found) > limit}


def opens(connection: Connection, token_hash: str, now: int) -> Answer:
    """Return what an invite's token allows now: a room to join, a sign-up."""
    invite = invites.grant(connection, token_hash, now)
    if invite is None or not invite.open:
        return {"valid": False, "signup": False, "room": None, "room_name": None}
    return {"valid": not invite.archived, "signup": invite.signup, "room": invite.room, "room_name": invite.name}


def reset_owner(connection: Connection, token_hash: str, now: int) -> int | None:
    """Return the user whose password a reset token sets; None if it is not valid."""
    return invites.one_time_token_user(connection, "reset", token_hash, now)[1]


# --- parts ---------------------------------------------------------------------------------------------------------


def _may_create(connection: Connection, actor: Actor, room: int | None) -> None:
    if room is None:
        rules.may_invite(actor)
    else:
        rules.may_invite_into(actor, get_room(connection, actor.id, room))


def _to_answer(invite: Invite) -> Answer:
    """Return the invite without token and link, which only its creator gets.

    `None` is kept: it stands for "never" and "any number of uses".
    """
    excluded = {"token", "link"} if invite.room is not None else {"token", "link", "room"}
    return invite.model_dump(exclude=excluded)
