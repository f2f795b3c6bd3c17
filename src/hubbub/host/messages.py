"""Messages that the host application posts, edits and deletes, as a bot or as a user."""

from secrets import token_hex

from hubbub.domain.commands import DeleteMessage, EditMessage, SendMessage
from hubbub.host.model import Posted, RoomRef, UserRef
from hubbub.host.running import Host, build


class Messages:
    """`hubbub.messages`: post, edit and delete messages.

    `by` is the author: a bot or a user, who must be a member of the room. Without it the host's bot
    is, which `hubbub.users.bot()` returns. All methods raise NotFound (no such user, room or message,
    or not a member), Forbidden (the account or the room is closed), Busy and Unavailable (try again),
    ValueError (a malformed key, issuer or subject), and RuntimeError while the server does not run.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def post(
        self,
        room: RoomRef,
        body: str,
        *,
        by: UserRef | None = None,
        key: str | None = None,
        reply_to: int | None = None,
    ) -> Posted:
        """Post a message; return its place when it is on disk.

        `body` is Markdown of at most 8,000 characters, with mentions. `key` has 1 to 64 printable ASCII
        characters. The same author, room and key give one message, for ever: so a call that ended in
        doubt (Unavailable, a killed process) is repeated with its key. `reply_to` is the seq of a
        message of the room.

        Raises Conflict if the key was used for another text, BadRequest and TooLarge for what does
        not fit.
        """
        actor, number = await self._host.acting(by, room)
        command = build(
            SendMessage, room=number, key=token_hex(16) if key is None else key, body=body, reply_to=reply_to
        )
        return Posted(number, (await self._host.submit(command, actor))["seq"])

    async def edit(self, room: RoomRef, message: int, body: str, *, by: UserRef | None = None) -> None:
        """Change the text of a message of `by`. `message` is its seq. The same text changes nothing.

        Raises Forbidden if another user is the author, Conflict if the message was deleted.
        """
        actor, number = await self._host.acting(by, room)
        await self._host.submit(build(EditMessage, room=number, message=message, body=body), actor)

    async def delete(self, room: RoomRef, message: int, *, by: UserRef | None = None) -> None:
        """Delete a message for everyone. `message` is its seq. Idempotent.

        The author may, and the room's owner and moderators: the host's bot in the rooms that it has
        opened. Raises Forbidden for others.
        """
        actor, number = await self._host.acting(by, room)
        await self._host.submit(build(DeleteMessage, room=number, message=message), actor)
