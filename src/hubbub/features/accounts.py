"""Accounts: sign up, change password, disable, delete; guests and identities."""

from sqlalchemy import Connection

from hubbub.domain import names, rules
from hubbub.domain.commands import (
    AdmitIdentity,
    ChangeAccount,
    ChangePassword,
    CloseGuest,
    CreateAccount,
    DeleteAccount,
    OpenGuest,
    SetDisabled,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, NeedsTopics, NotFound, Unauthenticated
from hubbub.domain.events import AccountDisabled, MemberLeft, StatusChanged
from hubbub.domain.identities import BOTS, Identity, names_for
from hubbub.domain.model import LOBBY, Actor, Nothing, Role, User, UserAnswer, room_topic
from hubbub.domain.text import MAX_DIRECT_MADE, MAX_ID, MAX_ROOMS
from hubbub.features.shared.access import get_account
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.membership import appoint_owner, close_behind, end_membership, enter
from hubbub.features.shared.sessions import end_sessions
from hubbub.storage import accounts, identities, invites, members, sessions, statuses
from hubbub.storage.accounts import Account
from hubbub.storage.transaction import Transaction

REFUSED = "Incorrect username or password."
NAME_TAKEN = "This name, or one that looks like it, is already taken. Choose another one."
MAX_BOT_ROOMS = MAX_ROOMS + MAX_DIRECT_MADE
"""Rooms of a bot whose account can be disabled or deleted: all of them are locked."""
BUSY_BOT = f"This bot is in more than {MAX_BOT_ROOMS:,} rooms. Remove it from them first."
BOT = "bot"
"""Stands for the issuer of bots where the name of one is adapted."""
USED_LINK = "This link was already used, or it has expired. Ask for a new one."


@handles(CreateAccount)
def create(request: Request[CreateAccount], tx: Transaction) -> UserAnswer:
    """Create an account with membership of the lobby and of the invite's room.

    The right to sign up is checked before the name, so that strangers cannot probe for names.
    """
    command, actor = request.command, request.actor
    role, room = _signup_grant(command, actor, tx.connection, tx.now)
    _check_free(command.username, actor, tx.connection)
    if room is not None:
        tx.head(room_topic(room))
    _use_up_grant(command, actor, tx)
    user = accounts.create(tx, command.username, role, command.password_hash)
    for joined in (LOBBY,) if room is None else (LOBBY, room):
        enter(tx, joined, user, command.username, user)
    return {"user": profile(tx.connection, user)}


@handles(OpenGuest)
def open_guest(request: Request[OpenGuest], tx: Transaction) -> UserAnswer:
    """Create a guest without password and session.

    The account ends with its connection.
    """
    command, actor = request.command, request.actor
    _check_free(command.username, actor, tx.connection)
    user = accounts.create(tx, command.username, Role.GUEST, None)
    enter(tx, LOBBY, user, command.username, user)
    return {"user": profile(tx.connection, user)}


@handles(AdmitIdentity)
def admit(request: Request[AdmitIdentity], tx: Transaction) -> Nothing:
    """Create or update the account of an identity of the host application.

    The name is adapted if it is taken. Disabled and deleted accounts stay so. Idempotent.
    """
    command = request.command
    known = identities.find(tx.connection, command.issuer, command.subject)
    account = accounts.find(tx.connection, known.user) if known is not None and known.user is not None else None
    if account is not None and account.is_deleted:
        return {}
    name = account.name if account is not None and known is not None and known.name == command.name else None
    if name is None:
        name = _free_name(tx.connection, command.issuer, command.subject, command.name, account)
    if account is None:
        user = accounts.create(tx, name, command.role, None, bot=command.bot)
        enter(tx, LOBBY, user, name, user)
    else:
        user = account.id
        identities.follow(tx, user, name, command.role)
        if account.role in rules.STAFF and command.role not in rules.STAFF:
            invites.remove_of_staff(tx, user)
    identities.keep(tx, command.issuer, command.subject, user, command.name)
    return {}


@handles(ChangeAccount)
def change(request: Request[ChangeAccount], tx: Transaction) -> Nothing:
    """Change the name or the role of an account. Idempotent.

    The name of a user of the host application is adapted if it is taken, as at their visits. One of
    Hubbub's own accounts needs a name that is free.
    """
    command = request.command
    account = get_account(tx.connection, command.user)
    identity = identities.of_user(tx.connection, account.id)
    name, role = account.name, command.role or account.role
    if Role.GUEST in (account.role, role):
        raise Forbidden("The name and the role of a guest can't be changed.")
    if command.name is not None and identity is not None:
        name = _free_name(tx.connection, *identity, command.name, account)
    elif command.name is not None and command.name != name:
        name = _own_name(command.name, account, tx.connection)
    if identity is None and role is not Role.OWNER:
        rules.may_close_account(account.role, accounts.active_owners(tx.connection), disabled=account.disabled)
    if identity is not None and command.name is not None:
        identities.keep(tx, *identity, account.id, command.name)
    if (name, role) == (account.name, account.role):
        return {}
    identities.follow(tx, account.id, name, role)
    if account.role in rules.STAFF and role not in rules.STAFF:
        invites.remove_of_staff(tx, account.id)
    return {}


@handles(CloseGuest)
def close_guest(request: Request[CloseGuest], tx: Transaction) -> Nothing:
    """Close a guest's account and free its name. Idempotent.

    Guests who left no content behind are removed completely.
    """
    command, actor = request.command, request.actor
    guest = accounts.find(tx.connection, command.user)
    if guest is None or guest.role is not Role.GUEST or guest.is_deleted:
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


@handles(ChangePassword)
def change_password(request: Request[ChangePassword], tx: Transaction) -> Nothing:
    """Set the password. End all sessions except `keep`, and void earlier reset links."""
    command, actor = request.command, request.actor
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
    end_sessions(tx, account.id, ended)
    if command.keep is not None and command.token_hash is not None:
        sessions.renew_cookie(tx, command.keep, command.token_hash)
    return {}


@handles(SetDisabled)
def set_disabled(request: Request[SetDisabled], tx: Transaction) -> Nothing:
    """Disable or enable an account.

    Disabling ends the user's sessions and connections, revokes the user's invites, and gives the
    user's rooms a new owner. Enabling does not restore any of that, but a room without an active
    owner gets one again.
    """
    command, actor = request.command, request.actor
    account = get_account(tx.connection, command.user)
    rules.may_disable(actor, account.id, account.role)
    if account.disabled == command.disabled:
        return {}
    if command.disabled:
        rules.may_close_account(account.role, accounts.active_owners(tx.connection), disabled=False)
    _require_room_locks(tx, account)
    if command.disabled:
        _end_sessions(tx, account, banned=True)
        invites.remove_by(tx, account.id)
    accounts.set_disabled(tx, account.id, command.disabled)
    for room in members.without_owner(tx.connection, account.id):
        appoint_owner(tx, room)
    return {}


@handles(DeleteAccount)
def delete(request: Request[DeleteAccount], tx: Transaction) -> Nothing:
    """Delete an account.

    Its messages stay under a neutral name, and its name becomes free.
    """
    command, actor = request.command, request.actor
    account = get_account(tx.connection, command.user)
    if not actor.system and (actor.id != account.id or command.seen_hash != account.password_hash):
        raise Unauthenticated(REFUSED)
    rules.may_close_account(account.role, accounts.active_owners(tx.connection), disabled=account.disabled)
    joined = _require_room_locks(tx, account)
    _end_sessions(tx, account, banned=False)
    _leave(tx, account, joined)
    accounts.retire(tx, account.id, f"{names.NEUTRAL}{account.id}", Role.MEMBER)
    return {}


# --- queries -------------------------------------------------------------------------------------------------------


def may_create(connection: Connection, command: CreateAccount, actor: Actor, now: int) -> None:
    """Raise what `create` would raise now.

    Called before the expensive hashing of the password.
    """
    _signup_grant(command, actor, connection, now)
    _check_free(command.username, actor, connection)


def by_name(connection: Connection, username: str) -> Account | None:
    """Return the account with this user name, or None. None also for invalid names."""
    try:
        return accounts.find_by_name(connection, names.check_user_name(username))
    except ValueError:
        return None


def by_id(connection: Connection, user: int) -> Account | None:
    return accounts.find(connection, user)


def profile(connection: Connection, user: int) -> User:
    """Return what every user may see of a user. Raises NotFound."""
    account = accounts.find(connection, user)
    if account is None:
        raise NotFound()
    return account.profile()


def needs_owner(connection: Connection) -> bool:
    return not accounts.has_owner(connection)


def listing(connection: Connection, after: int = 0, limit: int = 1_000) -> list[Account]:
    """Return a page of all accounts by id, for the command line."""
    return accounts.listing(connection, after, limit)


def open_guests(connection: Connection, before: int = MAX_ID) -> list[int]:
    """Return the ids below `before` of open guests, such as those left by a crash."""
    return accounts.guests(connection, before)


# --- parts ---------------------------------------------------------------------------------------------------------


def _signup_grant(command: CreateAccount, actor: Actor, connection: Connection, now: int) -> tuple[Role, int | None]:
    """Return the role and the room of a new account.

    Raises Forbidden if the sign-up is not allowed.
    """
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
        raise Forbidden("Sign-up is closed on this server.")
    if command.invite_hash is not None:
        return Role.MEMBER, _invite_room(command.invite_hash, connection, now)
    if command.signup == "invite":
        raise Forbidden("You need an invite to sign up here.")
    return Role.MEMBER, None


def _invite_room(invite_hash: str, connection: Connection, now: int) -> int | None:
    """Return the invite's room besides the lobby.

    Raises Forbidden if it does not allow a sign-up.
    """
    invite = invites.grant(connection, invite_hash, now)
    if invite is None or not invite.open:
        raise Forbidden("This invite was used up or revoked, or it has expired. Ask for a new one.")
    if not invite.signup:
        raise Forbidden("This invite is only for people who have an account here.")
    if invite.archived:
        raise Forbidden(rules.ARCHIVED)
    return invite.room


def _use_up_grant(command: CreateAccount, actor: Actor, tx: Transaction) -> None:
    """Use up the setup token or one use of the invite.

    Each is one conditional statement, so that two sign-ups cannot share one use.
    """
    if actor.system:
        return
    if command.setup_hash is not None:
        if not invites.use_one_time_token(tx, "setup", command.setup_hash):
            raise Forbidden(USED_LINK)
    elif command.invite_hash is not None and not invites.redeem(tx, command.invite_hash):
        raise Forbidden("This invite has just been used up. Ask for a new one.")


def _check_free(name: str, actor: Actor, connection: Connection) -> None:
    if names.is_reserved(name) and not actor.system:
        raise Conflict("This name is reserved. Choose another one.")
    if accounts.find_by_name(connection, name) is not None:
        raise Conflict(NAME_TAKEN)


def _free_name(connection: Connection, issuer: str, subject: str, wanted: str, account: Account | None) -> str:
    """Return the free name that is closest to the wanted one. Raises Conflict."""
    identity = Identity(BOT if issuer == BOTS else issuer, subject, wanted)
    name = next((each for each in names_for(identity) if _is_free(each, account, connection)), None)
    if name is None:
        raise Conflict("No free name was found for this user.")
    return name


def _own_name(wanted: str, account: Account, connection: Connection) -> str:
    """Return the normalised name if it is free or the account's own. Raises BadRequest, Conflict."""
    try:
        name = names.check_user_name(wanted)
    except ValueError as error:
        raise BadRequest(f"name: {error}.") from None
    if not _is_free(name, account, connection):
        raise Conflict(NAME_TAKEN)
    return name


def _is_free(name: str, account: Account | None, connection: Connection) -> bool:
    """Return True if `account`, or a new account if None, may have the name."""
    if names.is_reserved(name):
        return False
    holder = accounts.find_by_name(connection, name)
    return holder is None or (account is not None and holder.id == account.id)


def _require_room_locks(tx: Transaction, account: Account) -> list[int]:
    """Return the user's rooms once all of them are locked. Raises NeedsTopics.

    With the locks held, a message that is being sent elsewhere cannot be stored after this command.
    """
    joined = members.rooms_of(tx.connection, account.id, MAX_BOT_ROOMS + 1 if account.bot else None)
    if len(joined) > MAX_BOT_ROOMS and account.bot:
        raise Conflict(BUSY_BOT)
    if not all(tx.knows(room_topic(room)) for room in joined):
        raise NeedsTopics(*map(room_topic, joined))
    return joined


def _leave(tx: Transaction, account: Account, joined: list[int]) -> None:
    """Remove a user from all `joined` rooms, and clear the user's status.

    Rooms the user owned get another owner. The event of the cleared status also updates the users
    who watch it.
    """
    if statuses.forget(tx, account.id):
        tx.append(StatusChanged(person=account.id, status=statuses.ONLINE))
    for room in joined:
        role = members.role_of(tx.connection, room, account.id)
        close_behind(tx, room, account.id, account.name)
        event = MemberLeft(room=room, user=account.id, user_name=account.name, by=account.id)
        end_membership(tx, event, role, why=None)


def _end_sessions(tx: Transaction, account: Account, *, banned: bool) -> None:
    """End all sessions of an account that is disabled or deleted.

    AccountDisabled comes first, so that connections close for that reason and not for the end of
    their session.
    """
    tx.append(AccountDisabled(user=account.id, banned=banned))
    end_sessions(tx, account.id, [s.id for s in sessions.of_user(tx.connection, account.id)])
