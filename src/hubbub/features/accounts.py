"""Accounts: come in by a link, an invite or an open door; change the password; be locked out; go."""

from sqlalchemy import Connection

from hubbub.domain import names, rules
from hubbub.domain.commands import (
    AdmitIdentity,
    ChangePassword,
    CloseGuest,
    CreateAccount,
    DeleteAccount,
    OpenGuest,
    SetDisabled,
)
from hubbub.domain.errors import Conflict, Forbidden, NeedsTopics, NotFound, Unauthenticated
from hubbub.domain.events import AccountDisabled, MemberLeft, RoomRemoved, StatusChanged
from hubbub.domain.identities import Identity, names_for
from hubbub.domain.model import LOBBY, Actor, Role, RoomRole, User, room_topic
from hubbub.domain.text import MAX_ID
from hubbub.storage import accounts, bans, identities, invites, members, sessions, statuses
from hubbub.storage.accounts import Account
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
REFUSED = "The name or the password is wrong."
USED_LINK = "This link was used already, or it has expired. Ask for a new one."


def create(command: CreateAccount, actor: Actor, tx: Transaction) -> Answer:
    """A new person, at once in the lobby, and in the room that an invite leads into.

    The door is checked before the name: no invite, no looking up of names.
    """
    role, room = _signup_grant(command, actor, tx.connection, tx.now)
    _check_free(command.username, actor, tx.connection)
    if room is not None:
        tx.head(room_topic(room))
    _pass(command, actor, tx)
    user = accounts.create(tx, command.username, role, command.password_hash)
    for entered in (LOBBY,) if room is None else (LOBBY, room):
        members.enter(tx, entered, user, command.username, user)
    return {"user": profile(tx.connection, user).model_dump()}


def open_guest(command: OpenGuest, actor: Actor, tx: Transaction) -> Answer:
    """A guest has no password and no session: the account lives as long as its connection."""
    _check_free(command.username, actor, tx.connection)
    user = accounts.create(tx, command.username, Role.GUEST, None)
    members.enter(tx, LOBBY, user, command.username, user)
    return {"user": profile(tx.connection, user).model_dump()}


def admit(command: AdmitIdentity, actor: Actor, tx: Transaction) -> Answer:
    """The account of somebody whom the app around this one vouches for, under the name and the role it gives.

    The name as far as it is free. Who was locked out stays so, who was deleted too. Twice is once.
    """
    known = identities.find(tx.connection, command.issuer, command.subject)
    account = accounts.find(tx.connection, known.user) if known is not None and known.user is not None else None
    if account is not None and not account.open_name:
        return {}
    name = account.name if account is not None and known is not None and known.name == command.name else None
    if name is None:
        who = Identity(command.issuer, command.subject, command.name)
        name = next((wanted for wanted in names_for(who) if _is_free(wanted, account, tx.connection)), None)
        if name is None:
            raise Conflict("There is no name left for this person.")
    if account is None:
        user = accounts.create(tx, name, command.role, None)
        members.enter(tx, LOBBY, user, name, user)
    else:
        user = account.id
        identities.follow(tx, user, name, command.role)
        if account.role in rules.STAFF and command.role not in rules.STAFF:
            invites.remove_of_staff(tx, user)
    identities.keep(tx, command.issuer, command.subject, user, command.name)
    return {"user": profile(tx.connection, user).model_dump()}


def close_guest(command: CloseGuest, actor: Actor, tx: Transaction) -> Answer:
    """Frees the guest's name; who left nothing behind is forgotten. Twice is once."""
    guest = accounts.find(tx.connection, command.user)
    if guest is None or guest.role is not Role.GUEST or not guest.open_name:
        return {}
    if actor.id != guest.id and not actor.system:
        raise Forbidden()
    left_something = accounts.left_something(tx.connection, guest.id)
    _leave(tx, guest, members.rooms_of(tx.connection, guest.id))
    if left_something:
        accounts.retire(tx, guest.id, guest.name, Role.GUEST)
    else:
        accounts.remove(tx, guest.id)
    return {}


def change_password(command: ChangePassword, actor: Actor, tx: Transaction) -> Answer:
    """Ends every session but the one that is kept; earlier reset links are void."""
    account = accounts.find(tx.connection, command.user)
    if account is None or account.disabled:
        raise Unauthenticated(USED_LINK if command.reset_hash else REFUSED)
    ended = [s.id for s in sessions.of_user(tx.connection, account.id) if s.id != command.keep]
    if command.reset_hash is not None:
        if invites.one_time_token_user(tx.connection, "reset", command.reset_hash, tx.now) != (True, account.id):
            raise Forbidden(USED_LINK)
    elif not actor.system and (actor.id != account.id or command.seen_hash != account.password_hash):
        raise Unauthenticated(REFUSED)
    accounts.set_password(tx, account.id, command.password_hash)
    invites.remove_one_time_tokens(tx, "reset", account.id)
    sessions.end(tx, account.id, ended)
    if command.keep is not None and command.token_hash is not None:
        sessions.renew_cookie(tx, command.keep, command.token_hash)
    return {}


def set_disabled(command: SetDisabled, actor: Actor, tx: Transaction) -> Answer:
    """Locking out ends sessions, connections and the person's links, and what was his to look after gets another owner.

    Letting in again brings none of it back, but for a room that nobody could look after meanwhile.
    """
    account = accounts.find(tx.connection, command.user)
    if account is None or not account.open_name:
        raise NotFound()
    rules.may_disable(actor, account.id, account.role)
    if account.disabled == command.disabled:
        return {}
    if command.disabled:
        rules.may_close_account(account.role, accounts.active_owners(tx.connection), disabled=False)
    _hold_rooms(tx, account)
    if command.disabled:
        _lock_out(tx, account, banned=True)
        invites.remove_by(tx, account.id)
    accounts.set_disabled(tx, account.id, command.disabled)
    for room in members.without_owner(tx.connection, account.id):
        members.appoint(tx, room)
    return {}


def delete(command: DeleteAccount, actor: Actor, tx: Transaction) -> Answer:
    """The person goes; what was said stays, under a neutral name. The name is free for others."""
    account = accounts.find(tx.connection, command.user)
    if account is None or not account.open_name:
        raise NotFound()
    if not actor.system and (actor.id != account.id or command.seen_hash != account.password_hash):
        raise Unauthenticated(REFUSED)
    rules.may_close_account(account.role, accounts.active_owners(tx.connection), disabled=account.disabled)
    joined = _hold_rooms(tx, account)
    _lock_out(tx, account, banned=False)
    _leave(tx, account, joined)
    invites.remove_by(tx, account.id)
    invites.remove_one_time_tokens(tx, "reset", account.id)
    accounts.retire(tx, account.id, f"{names.NEUTRAL}{account.id}", Role.MEMBER)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def may_create(connection: Connection, command: CreateAccount, actor: Actor, now: int) -> None:
    """Raises what `create` would raise now: asked first, so that no password is hashed for nothing."""
    _signup_grant(command, actor, connection, now)
    _check_free(command.username, actor, connection)


def by_name(connection: Connection, username: str) -> Account | None:
    """Whoever logs in under `username`; None also for what is no name at all."""
    try:
        return accounts.find_by_name(connection, names.check_user_name(username))
    except ValueError:
        return None


def by_id(connection: Connection, user: int) -> Account | None:
    return accounts.find(connection, user)


def profile(connection: Connection, user: int) -> User:
    """What anybody who is logged in may know of somebody. Raises NotFound."""
    account = accounts.find(connection, user)
    if account is None:
        raise NotFound()
    return account.profile()


def needs_owner(connection: Connection) -> bool:
    return not accounts.has_owner(connection)


def listing(connection: Connection, after: int = 0, limit: int = 1_000) -> list[Account]:
    """A page of all accounts by id, for the command line."""
    return accounts.listing(connection, after, limit)


def open_guests(connection: Connection, before: int = MAX_ID) -> list[int]:
    """Guests that came before then and were not closed; a crash may have cut their connection."""
    return accounts.guests(connection, before)


# --- parts ---------------------------------------------------------------------------------------------------------


def _signup_grant(command: CreateAccount, actor: Actor, connection: Connection, now: int) -> tuple[Role, int | None]:
    """The role somebody would come in with, and the room; raises Forbidden where there is no way in."""
    if actor.system:
        return command.role or Role.MEMBER, None
    if command.role is not None:
        raise Forbidden()
    if command.setup_hash is not None:
        known, _ = invites.one_time_token_user(connection, "setup", command.setup_hash, now)
        if not known or accounts.has_owner(connection):
            raise Forbidden(USED_LINK)
        return Role.OWNER, None
    if command.signup == "closed":
        raise Forbidden("Nobody can sign up here.")
    if command.invite_hash is not None:
        return Role.MEMBER, _room_behind(command.invite_hash, connection, now)
    if command.signup == "invite":
        raise Forbidden("To sign up here you need an invite.")
    return Role.MEMBER, None


def _room_behind(invite_hash: str, connection: Connection, now: int) -> int | None:
    """Where the invite leads besides the lobby; raises Forbidden if it opens no account."""
    found = invites.grant(connection, invite_hash, now)
    if found is None or not found.open:
        raise Forbidden("This invite was used up or taken back, or it has expired. Ask for a new one.")
    if not found.signup:
        raise Forbidden("This invite is for people who have an account here.")
    if found.archived:
        raise Forbidden(rules.ARCHIVED)
    return found.room


def _pass(command: CreateAccount, actor: Actor, tx: Transaction) -> None:
    """Uses up what opened the door: one conditional statement, so that two can never pass on one."""
    if actor.system:
        return
    if command.setup_hash is not None:
        if not invites.use_one_time_token(tx, "setup", command.setup_hash):
            raise Forbidden(USED_LINK)
    elif command.invite_hash is not None and not invites.redeem(tx, command.invite_hash):
        raise Forbidden("This invite was used up just now. Ask for a new one.")


def _check_free(name: str, actor: Actor, connection: Connection) -> None:
    if names.is_reserved(name) and not actor.system:
        raise Conflict("That name is reserved. Choose another one.")
    if accounts.find_by_name(connection, name) is not None:
        raise Conflict("Somebody has that name, or one that looks like it. Choose another one.")


def _is_free(name: str, account: Account | None, connection: Connection) -> bool:
    """Whether `account`, or somebody new, may be called that."""
    if names.is_reserved(name):
        return False
    holder = accounts.find_by_name(connection, name)
    return holder is None or (account is not None and holder.id == account.id)


def _hold_rooms(tx: Transaction, account: Account) -> list[int]:
    """The person's rooms, all held: so that nothing that is being sent elsewhere can be stored after this."""
    joined = members.rooms_of(tx.connection, account.id)
    if not all(tx.knows(room_topic(room)) for room in joined):
        raise NeedsTopics(*map(room_topic, joined))
    return joined


def _leave(tx: Transaction, account: Account, joined: list[int]) -> None:
    """Nobody any more: out of all of them, and without what he chose to say of himself, for those who look on too.

    A room whose owner that was gets another one.
    """
    if statuses.forget(tx, account.id):
        tx.append(StatusChanged(person=account.id, chosen=statuses.ONLINE))
    for room in joined:
        was = members.role_of(tx.connection, room, account.id)
        members.close_behind(tx, room, account.id, account.name)
        members.remove(tx, room, account.id)
        tx.append(MemberLeft(room=room, user=account.id, name=account.name, by=account.id))
        tx.append(RoomRemoved(person=account.id, room=room))
        if was is RoomRole.OWNER:
            members.succeed(tx, room)
    bans.forget(tx, account.id)


def _lock_out(tx: Transaction, account: Account, *, banned: bool) -> None:
    """The lock-out goes first, so that a connection closes for that reason and not for its session's end."""
    tx.append(AccountDisabled(user=account.id, banned=banned))
    sessions.end(tx, account.id, [s.id for s in sessions.of_user(tx.connection, account.id)])
