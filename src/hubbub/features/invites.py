"""Invites and one-time links: ways in that are used up. The store never has a token, only its hash."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import AcceptInvite, CreateInvite, CreateOneTimeToken, RevokeInvite
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import LOBBY, Actor, Invite, room_topic
from hubbub.domain.text import milliseconds
from hubbub.storage import accounts, bans, idempotency_keys, invites, members, rooms
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MAX_INVITES = 1_000
"""Into the site, that can still be used."""
MAX_ROOM_INVITES = 100
"""Into one room."""
ID_LENGTH = 22
HOSTED = "Who comes in here is for the app around this chat to say; links lead into rooms."
NO_DOOR = "This invite was used up or taken back, or it has expired. Ask for a new one."


def create(command: CreateInvite, actor: Actor, tx: Transaction) -> Answer:
    """The same key gives the same invite again, also after it was used or taken back.

    What the site's staff makes opens an account as well; what others make lets in those who have one.
    """
    room = None if command.room == LOBBY else command.room
    if room is None and not command.accounts:
        raise Forbidden(HOSTED)
    _may_make(tx.connection, actor, room)
    digest = sha256(f"{command.max_uses}:{command.expires_in}{'' if room is None else f':{room}'}".encode()).hexdigest()
    before = idempotency_keys.find(tx, actor.id, command.kind, command.key, digest)
    if before is not None:
        return before
    most = MAX_INVITES if room is None else MAX_ROOM_INVITES
    if invites.count(tx.connection, room, tx.now, most) >= most:
        raise Conflict(f"There are {most} open invites. Take some back first.")
    expires_at = None if command.expires_in is None else tx.now + command.expires_in
    # The id is made from the hash: it names the invite to its admins and opens nothing.
    name = sha256(command.token_hash.encode()).hexdigest()[:ID_LENGTH]
    signup = command.accounts and rules.is_staff(actor)
    new = invites.NewInvite(name, command.token_hash, command.max_uses, actor.id, expires_at, room, signup)
    answer: Answer = {"invite": _shown(invites.create(tx, new))}
    return idempotency_keys.keep(tx, actor.id, command.kind, command.key, digest, answer)


def revoke(command: RevokeInvite, actor: Actor, tx: Transaction) -> Answer:
    """An invite into a room that one may not know of looks like none."""
    found = invites.find(tx.connection, command.invite)
    if found is None:
        raise NotFound()
    if found.room is None:
        rules.may_invite(actor)
    else:
        tx.head(room_topic(found.room))
        rules.may_moderate(actor, rooms.get_visible(tx.connection, actor.id, found.room))
    if not invites.remove(tx, command.invite):
        raise NotFound()
    return {}


def accept(command: AcceptInvite, actor: Actor, tx: Transaction) -> Answer:
    """Nothing is used up by somebody who is in the room already, nor by somebody who cannot come in.

    Somebody who is in it may ask again although it is used up: perhaps by him, and the answer was lost.
    """
    found = invites.grant(tx.connection, command.token_hash, tx.now)
    if found is None:
        raise Forbidden(NO_DOOR)
    room = found.room or LOBBY
    topic = room_topic(room)
    tx.head(topic)
    if members.role_of(tx.connection, room, actor.id) is not None:
        standing = rooms.current(tx, actor.id, room)
        return {"room": standing.model_dump(exclude_none=True), "topic": topic, "seq": standing.head}
    if not found.open:
        raise Forbidden(NO_DOOR)
    rules.may_enter(actor, archived=found.archived, banned=bans.holds(tx.connection, room, actor.id))
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [actor.id]))
    if not invites.redeem(tx, command.token_hash):
        raise Forbidden(NO_DOOR)
    joined, entry = members.enter(tx, room, actor.id, actor.name, actor.id)
    return {"room": joined.model_dump(exclude_none=True), "topic": topic, "seq": entry.seq}


def create_link(command: CreateOneTimeToken, actor: Actor, tx: Transaction) -> Answer:
    """For the server and its command line only: whoever can run those owns the data anyway."""
    if not actor.system:
        raise Forbidden()
    if command.purpose == "setup" and accounts.has_owner(tx.connection):
        raise Conflict("There is an owner already.")
    if command.purpose == "reset":
        account = accounts.find(tx.connection, command.user) if command.user is not None else None
        if account is None or account.disabled or account.password_hash is None:
            raise NotFound()
    invites.create_one_time_token(tx, command.purpose, command.token_hash, command.user, command.expires)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, room: int | None, now: int, after: str | None, limit: int) -> Answer:
    """A page of the invites that can still be used: into the site, for its staff; into a room, for those who look
    after it. `after` is a `Place`. Raises Forbidden, NotFound."""
    if room is None:
        rules.may_invite(actor)
    else:
        rules.may_moderate(actor, rooms.get_visible(connection, actor.id, room))
    position = None
    if after is not None:
        moment, _, invite = after.partition(",")
        position = invites.InvitePosition(milliseconds(moment), invite)
    found = invites.listing(connection, room, now, position, limit + 1)
    return {"invites": [_shown(invite) for invite in found[:limit]], "more": len(found) > limit}


def opens(connection: Connection, token_hash: str, now: int) -> Answer:
    """What somebody with this token could do now: come into which room, and make an account."""
    found = invites.grant(connection, token_hash, now)
    if found is None or not found.open:
        return {"valid": False, "signup": False, "room": None, "name": None}
    return {"valid": not found.archived, "signup": found.signup, "room": found.room, "name": found.name}


def reset_owner(connection: Connection, token_hash: str, now: int) -> int | None:
    """Whose password a reset link sets; None if there is no such link, or not any more."""
    return invites.one_time_token_user(connection, "reset", token_hash, now)[1]


# --- parts ---------------------------------------------------------------------------------------------------------


def _may_make(connection: Connection, actor: Actor, room: int | None) -> None:
    if room is None:
        rules.may_invite(actor)
    else:
        rules.may_invite_into(actor, rooms.get_visible(connection, actor.id, room))


def _shown(invite: Invite) -> Answer:
    """Without what only its maker is told, once; a `null` stands for "never" and "any number"."""
    left_out = {"token", "link"} if invite.room is not None else {"token", "link", "room"}
    return invite.model_dump(exclude=left_out)
