"""Everything that can be asked to change. One definition feeds validation, REST, the wire and their references.

A command names the topics it will write (`topics`), so that the journal can lock them before anything is read.
Commands with a wire name (`type`) are open to clients; the others are built by the gateways out of requests that carry
secrets, so that a password or a token never travels through the journal, only its hash.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from hubbub.domain.model import (
    LOBBY,
    SECURITY,
    SITE,
    Actor,
    Frozen,
    MaybePosition,
    Position,
    Role,
    RoomPosition,
    Wire,
    room_topic,
    user_topic,
)
from hubbub.domain.names import RoomName, UserName
from hubbub.domain.text import DEFAULT_PAGE, MAX_ID, MAX_PAGE, Body, Key, ShortText

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Seq = Annotated[int, Field(ge=0, le=MAX_ID)]
Topic = Annotated[str, Field(max_length=64, pattern=r"^(room:[1-9][0-9]{0,15}|user:[1-9][0-9]{0,15}|site)$")]


class Command(Frozen):
    """Something that can be asked; `kind` names it in logs and metrics, `answer` is what a client is told."""

    kind: ClassVar[str]
    answer: ClassVar[type[Wire] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = str(cls.__annotations__["type"].__args__[0]) if "type" in cls.__annotations__ else cls.__name__

    def topics(self, actor: Actor) -> tuple[str, ...]:
        """The topics this command will write; locked before any handler reads."""
        raise NotImplementedError

    def size(self) -> int:
        """About how many bytes it keeps in the journal's queue."""
        return 256


# --- on the wire -----------------------------------------------------------------------------------------------------


class SendMessage(Command):
    """Says something in a room. The same key and body get the first answer again, whatever has happened since."""

    answer = Position
    type: Literal["message.send"] = "message.send"
    room: Id
    key: Key
    """1 to 64 printable ASCII characters, unique among one's messages in the room, for ever."""
    body: Body
    """At most 8,000 characters and 16 KiB of UTF-8, and not blank."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)

    def size(self) -> int:
        return 256 + len(self.body)


class CreateRoom(Command):
    """Makes a room with oneself in it."""

    answer = RoomPosition
    type: Literal["room.create"] = "room.create"
    kind_of_room: Literal["public"] = Field("public", alias="kind")
    name: RoomName
    """1 to 64 printable characters; unique among public rooms, also among names that look alike."""
    key: Key | None = None
    """With one, a retry gets the same room."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))


class JoinRoom(Command):
    """Becomes a member. Twice is fine."""

    answer = RoomPosition
    type: Literal["room.join"] = "room.join"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class LeaveRoom(Command):
    """Is a member no longer. Nobody leaves the lobby."""

    answer = Position
    type: Literal["room.leave"] = "room.leave"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class RemoveMember(Command):
    """Removes somebody else: for the room's owner and for the site's owners and admins. Not from the lobby."""

    answer = Position
    type: Literal["room.remove"] = "room.remove"
    room: Id
    user: Id
    """Whom."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(self.user), user_topic(actor.id))


class ReadRoom(Command):
    """Moves one's read position forward."""

    answer = MaybePosition
    type: Literal["room.read"] = "room.read"
    room: Id
    seq: Seq
    """Up to which seq of the room's log one has read; not above its head."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


WireCommand = Annotated[
    SendMessage | CreateRoom | JoinRoom | LeaveRoom | RemoveMember | ReadRoom, Field(discriminator="type")
]
WIRE_COMMANDS: TypeAdapter[SendMessage | CreateRoom | JoinRoom | LeaveRoom | RemoveMember | ReadRoom] = TypeAdapter(
    WireCommand
)


# --- queries on the wire: answered by the readers, never by the journal ---------------------------------------------


class EventsSince(Frozen):
    """What happened in `topic` after position (`epoch`, `after`); no epoch means the present one."""

    type: Literal["events.since"] = "events.since"
    topic: Topic
    after: Seq
    """The seq up to which one has everything."""
    epoch: ShortText | None = None
    """The epoch in which one got it."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE
    """How many events at most; a page also ends before it grows over 256 KiB."""


class MessagePage(Frozen):
    """A page of a room's messages next to a seq; without one, the newest. At most one of the three may be given."""

    room: Id
    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE


# --- accounts and sessions -------------------------------------------------------------------------------------------


class CreateAccount(Command):
    """A new person. `setup_hash` or `invite_hash` is the SHA-256 of what opens the door; the CLI gives a `role`."""

    username: UserName
    password_hash: str
    invite_hash: str | None = None
    setup_hash: str | None = None
    role: Role | None = None
    signup: Literal["invite", "open", "closed"] = "invite"

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class OpenGuest(Command):
    """Somebody without a password who enters the lobby under a free name, for as long as a connection lives."""

    username: UserName

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class CloseGuest(Command):
    """The guest has left: out of the lobby, and removed altogether if nothing was said."""

    user: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY), user_topic(self.user))


class AdmitIdentity(Command):
    """Somebody the app around this one vouches for: an account at first sight, then the name and the role it gives."""

    issuer: str
    subject: str
    name: str
    role: Role

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(LOBBY))


class RevokeIdentity(Command):
    """The app around this one has logged the person out: nobody it recognised before this is that person any more."""

    issuer: str
    subject: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class OpenSession(Command):
    """A log-in. `token_hash` is the SHA-256 of a browser's cookie; a token session has none.

    A session ends `idle` milliseconds after it was last seen, and `longest` milliseconds after it was opened.
    """

    user: Id
    session: str
    browser: bool
    token_hash: str | None
    client: ShortText
    idle: int
    longest: int
    password_hash: str | None = None
    """A fresh hash of the same password, where the stored one was made with weaker parameters."""
    seen_hash: str | None = None
    """The stored hash the password was checked against; if it changed meanwhile, the log-in fails."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RotateSession(Command):
    """A refresh: `generation` is the one that was presented. A stale one revokes the session (reuse).

    The one before the present is answered with the same successor for `grace` milliseconds: its answer may be lost.
    """

    session: str
    user: Id
    generation: int
    grace: int
    idle: int
    longest: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class TouchSession(Command):
    """The session was seen just now: sent at most hourly, so that an idle one can be told from a busy one."""

    session: str
    user: Id
    idle: int
    longest: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RevokeSessions(Command):
    """Ends one session of the actor, or all of them but one."""

    session: str | None = None
    keep: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), SECURITY)


class ChangePassword(Command):
    """A new password ends every session but `keep`; `seen_hash` is the stored hash the old one was checked against.

    With `reset_hash` the right comes from a reset link instead. `token_hash` renews the kept browser session's cookie.
    """

    user: Id
    password_hash: str
    seen_hash: str | None = None
    reset_hash: str | None = None
    keep: str | None = None
    token_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class SetDisabled(Command):
    """Locks an account out, or lets it in again. Not for oneself, and not for the last owner."""

    user: Id
    disabled: bool

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class DeleteAccount(Command):
    """Removes a person: name, password, sessions and memberships go, what was said stays under a neutral name."""

    user: Id
    seen_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY, SITE)


class CreateLink(Command):
    """A one-time link: `setup` makes the first owner, `reset` sets a password. Only its hash is stored."""

    purpose: Literal["setup", "reset"]
    token_hash: str
    user: Id | None = None
    expires: int | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)


class CreateInvite(Command):
    """A way in for others. Only the token's hash is stored; `expires_in` is in milliseconds."""

    token_hash: str
    max_uses: Annotated[int, Field(ge=1, le=100_000)] | None = 1
    expires_in: int | None = None
    key: Key | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))


class RevokeInvite(Command):
    invite: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id))


class TrimTopic(Command):
    """Forgets a prefix of a topic's log: at most `limit` entries older than `before` (milliseconds)."""

    topic: str
    before: int
    limit: int = 2_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (self.topic,)
