"""Users of the host application, and its bots."""

from hubbub.domain.commands import ChangeAccount, DeleteAccount, SetDisabled
from hubbub.domain.identities import Identity
from hubbub.domain.model import SYSTEM, Role
from hubbub.features import host
from hubbub.features.host import FoundUser
from hubbub.host.model import RoomUnread, Unread, User, UserRef
from hubbub.host.running import DEFAULT_BOT, Host, build


class Users:
    """`hubbub.users`: accounts, without a visit of their users.

    All methods but `get` raise NotFound for an unknown user; all raise Busy and Unavailable (try
    again), ValueError (a malformed issuer or subject), and RuntimeError while the server does not run.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def provision(self, identity: Identity) -> User:
        """Create the account of a user, or update its name and role, as a visit would. Idempotent.

        Raises RuntimeError without `authenticate`.
        """
        await self._host.provision(identity)
        return _user(await self._host.user((identity.issuer, identity.subject)))

    async def get(self, user: UserRef) -> User | None:
        """Return an account, also a disabled or deleted one; None if there is none."""
        found = await self._host.read(host.user, await self._host.user_key(user))
        return None if found is None else _user(found)

    async def bot(self, key: str = DEFAULT_BOT, *, name: str | None = None) -> User:
        """Return a bot of the host application; create it if there is none.

        `key` identifies it for ever: 1 to 255 characters. Users see `name`, which is adapted like
        those of users. Without a name the bot keeps the one it has; a new one has the site's name.
        Raises Conflict if the bot was deleted.
        """
        return _user(await self._host.bot(key, name))

    async def rename(self, user: UserRef, name: str) -> User:
        """Change a user's name. For a user of the host, the next visit sets the name that it gives.

        Raises BadRequest and Conflict if the name of one of Hubbub's own accounts is not allowed or
        not free; those of others are adapted.
        """
        return await self._change(user, name=Identity("host", "host", name).name)

    async def set_role(self, user: UserRef, role: Role | str) -> User:
        """Change a user's role on the site: owner, admin or member.

        It counts at once for requests, and for a WebSocket when its client connects the next time.
        Raises ValueError for another role, Forbidden for the last owner of a site with its own
        accounts.
        """
        return await self._change(user, role=Identity("host", "host", "", role).role)

    async def disable(self, user: UserRef) -> None:
        """Close an account until it is enabled. Ends the user's connections at once. Idempotent.

        The user stays a member of their rooms; those they own get another owner. Raises Forbidden
        for the last owner of the site.
        """
        await self._set_disabled(user, disabled=True)

    async def enable(self, user: UserRef) -> None:
        """Open a disabled account again. Idempotent."""
        await self._set_disabled(user, disabled=False)

    async def delete(self, user: UserRef) -> None:
        """Delete an account for ever: its name, its memberships and sessions. Idempotent.

        The user's messages stay under a neutral name. A user of the host who visits again is
        refused. Raises Forbidden for the last owner of the site.
        """
        found = await self._host.user(user)
        if not found.account.is_deleted:
            await self._host.submit(DeleteAccount(user=found.account.id), SYSTEM)

    async def unread(self, user: UserRef) -> Unread:
        """Return what a user has not read, for a badge. Two short queries."""
        found = await self._host.user(user)
        rooms = await self._host.read(host.unread, found.account.id)
        return Unread(
            messages=sum(room.mentions if room.muted else room.messages for room in rooms),
            mentions=sum(room.mentions for room in rooms),
            rooms={room.room: RoomUnread(room.messages, room.mentions, room.muted) for room in rooms},
        )

    async def _change(self, ref: UserRef, *, name: str | None = None, role: Role | str | None = None) -> User:
        found = await self._host.user(ref)
        command = build(ChangeAccount, user=found.account.id, name=name, role=None if role is None else Role(role))
        await self._host.submit(command, SYSTEM)
        return _user(await self._host.user(found.account.id))

    async def _set_disabled(self, ref: UserRef, *, disabled: bool) -> None:
        found = await self._host.user(ref)
        await self._host.submit(SetDisabled(user=found.account.id, disabled=disabled), SYSTEM)


def _user(found: FoundUser) -> User:
    account = found.account
    issuer, subject = found.identity or (None, None)
    return User(
        account.id, account.name, account.role, account.bot, account.disabled, account.is_deleted, issuer, subject
    )
