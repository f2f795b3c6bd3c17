"""The guard: it checks the preconditions of all commands, and posts no key twice.

The same refusal for the same reason, however a command arrives. What a command requires is data of
its class (`Command.requires`). The facts of a whole run are read in one statement.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from hubbub.domain import rules
from hubbub.domain.commands import Command, ForwardMessage, PostCommand, Requires, SendMessage
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.model import ANYBODY, Actor, Membership, Position, Room, room_topic
from hubbub.storage import accounts, facts, rooms
from hubbub.storage.facts import PostedMessage, RoomFacts
from hubbub.storage.messages import StoredMessage
from hubbub.storage.transaction import Transaction

C = TypeVar("C", bound=Command)
CLOSED = "This account is closed."


class Request(Generic[C]):
    """A command that may be executed, with the facts that the guard has read.

    Each fact is there if the command requires it.
    """

    __slots__ = ("_facts", "_room", "actor", "command")

    def __init__(self, command: C, actor: Actor, known: RoomFacts, room: Room | None) -> None:
        self.command = command
        self.actor = actor
        self._facts = known
        self._room = room

    @property
    def own(self) -> Membership:
        """The actor's membership of the room."""
        assert self._facts.own is not None, "the command requires MEMBER or MESSAGE"
        return self._facts.own

    @property
    def message(self) -> StoredMessage:
        """The message the command is about."""
        assert self._facts.message is not None, "the command requires MESSAGE"
        return self._facts.message

    @property
    def room(self) -> Room:
        """The room as the actor sees it."""
        assert self._room is not None, "the command requires ROOM"
        return self._room


def admit(run: Sequence[tuple[Any, Actor]], tx: Transaction) -> list[Any]:
    """Return a Request for each command that may be executed, else its answer or error.

    The commands are of one kind. A post whose key is known gets the first answer again, even if the
    actor's right to post has gone since.
    """
    requires = type(run[0][0]).requires
    checks = [CHECKS[requirement] for requirement in requires]  # once for the run: hashing an enum is slow
    sees_room = Requires.ROOM in requires
    results: list[Any] = []
    for (command, actor), known in zip(run, _facts(run, requires, tx), strict=True):
        if known.posted is not None:
            results.append(posted_before(command, known.posted))
            continue
        find = rooms.find if actor.system else rooms.find_visible
        room = find(tx.connection, actor.id, command.room) if sees_room else None
        result: Any = Request(command, actor, known, room)
        for check in checks:
            refusal = check(result)
            if refusal is not None:
                result = refusal
                break
        results.append(result)
    return results


def _facts(run: Sequence[tuple[Any, Actor]], requires: Sequence[Requires], tx: Transaction) -> list[RoomFacts]:
    """Return the facts of a run. One statement, if the commands are about a room."""
    if isinstance(run[0][0], PostCommand):
        return facts.of_posts(tx, [(command.room, actor.id, command.key) for command, actor in run])
    if Requires.MESSAGE in requires:
        return facts.of_messages(tx, [(command.room, actor.id, command.message) for command, actor in run])
    if Requires.MEMBER in requires and Requires.ROOM not in requires:
        return facts.of_rooms(tx, [(command.room, actor.id) for command, actor in run])
    if Requires.OPEN_ACCOUNT in requires:
        users = {actor.id for _, actor in run if not _acts_for_itself(actor)}
        active = accounts.open_among(tx.connection, users) if users else set()
        return [RoomFacts(actor.id in active, None) for _, actor in run]
    return [NO_FACTS] * len(run)


def _acts_for_itself(actor: Actor) -> bool:
    """Return True for the system and for clients that are not logged in: they have no account."""
    return actor.system or actor.id == ANYBODY.id


def posted_before(command: SendMessage | ForwardMessage, posted: PostedMessage) -> Position | HubbubError:
    """Return the first answer to a key; Conflict if the key was used for another message.

    What a deleted message was is not known any more: its key gets the first answer in any case.
    """
    digest, seq = posted
    if digest is not None and digest != command.digest():
        return Conflict("That key was used for another message.")
    return {"topic": room_topic(command.room), "seq": seq}


def _system(request: Request[Any]) -> HubbubError | None:
    return None if request.actor.system else Forbidden()


def _staff(request: Request[Any]) -> HubbubError | None:
    return None if rules.is_staff(request.actor) else Forbidden(rules.STAFF_ONLY)


def _open_account(request: Request[Any]) -> HubbubError | None:
    return None if request._facts.open or _acts_for_itself(request.actor) else Forbidden(CLOSED)


def _room(request: Request[Any]) -> HubbubError | None:
    return NotFound() if request._room is None else None


def _member(request: Request[Any]) -> HubbubError | None:
    joined = request._facts.own is not None or (request._room is not None and request._room.joined)
    return None if joined else NotFound()


def _message(request: Request[Any]) -> HubbubError | None:
    own, message = request._facts.own, request._facts.message
    readable = own is not None and message is not None and request.command.message >= own.sees_from
    return None if readable else NotFound()


def _not_archived(request: Request[Any]) -> HubbubError | None:
    own = request._facts.own
    return Forbidden(rules.ARCHIVED) if own is not None and own.archived else None


def _pins(request: Request[Any]) -> HubbubError | None:
    try:
        rules.may_pin(request.actor, request.own)
    except HubbubError as refusal:
        return refusal
    return None


NO_FACTS = RoomFacts(False, None)
CHECKS: dict[Requires, Callable[[Request[Any]], HubbubError | None]] = {
    Requires.SYSTEM: _system,
    Requires.STAFF: _staff,
    Requires.OPEN_ACCOUNT: _open_account,
    Requires.ROOM: _room,
    Requires.MEMBER: _member,
    Requires.MESSAGE: _message,
    Requires.NOT_ARCHIVED: _not_archived,
    Requires.PINS: _pins,
}
"""Every precondition and its check."""
