"""Read positions: one per user and room, shared by all of the user's devices."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hubbub.domain.commands import ReadRoom, ReadRooms, UnreadRoom
from hubbub.domain.errors import BadRequest, Forbidden, HubbubError, NotFound
from hubbub.domain.events import ReadMoved
from hubbub.domain.model import Actor, room_topic
from hubbub.storage import members, reads
from hubbub.storage.reads import ReadState, ReadTarget
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MemberKey = tuple[int, int]
"""(room, user)"""


@dataclass(slots=True)
class ReadMoves:
    """The moves of a run: each stored read position, and its last new seq."""

    own: dict[MemberKey, ReadState]
    last: dict[MemberKey, int] = field(default_factory=dict)

    def forward(self, member: MemberKey, seq: int, tx: Transaction) -> bool:
        """Note a move. Return False if the position is there already or beyond.

        Raises NotFound, BadRequest, Forbidden.
        """
        own = self.own.get(member, ReadState())
        if own.disabled:
            raise Forbidden("This account is closed.")
        if own.read_seq is None:
            raise NotFound()
        if seq > tx.head(room_topic(member[0])).seq:
            raise BadRequest("seq: must not be above the newest seq of the room.")
        if seq <= self.last.get(member, own.read_seq):
            return False
        self.last[member] = seq
        return True


def read(run: Sequence[tuple[ReadRoom, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Move a run of read positions forward.

    Commands that move nothing get an empty answer. Each position moves once, to the last seq of the
    run. All its commands get that event's position.
    """
    moves = ReadMoves(reads.own(tx, [(command.room, actor.id) for command, actor in run]))
    outcomes: list[bool | HubbubError] = []
    for command, actor in run:
        try:
            outcomes.append(moves.forward((command.room, actor.id), command.seq, tx))
        except HubbubError as error:
            outcomes.append(error)
    answers = _move(tx, moves)
    return [
        outcome if isinstance(outcome, HubbubError) else answers[command.room, actor.id] if outcome else {}
        for (command, actor), outcome in zip(run, outcomes, strict=True)
    ]


def read_all(run: Sequence[tuple[ReadRooms, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Move the read positions of several rooms per command.

    Rooms without membership are skipped. The answer is the position of the last move.
    """
    moves = ReadMoves(reads.own(tx, [(target.room, actor.id) for command, actor in run for target in command.rooms]))
    outcomes: list[list[MemberKey] | HubbubError] = []
    for command, actor in run:
        before = dict(moves.last)
        try:
            outcomes.append(_forward_all(command, actor, moves, tx))
        except HubbubError as error:
            moves.last = before
            outcomes.append(error)
    answers = _move(tx, moves)
    order = {member: index for index, member in enumerate(answers)}
    return [
        outcome if isinstance(outcome, HubbubError) else answers[max(outcome, key=order.__getitem__)] if outcome else {}
        for outcome in outcomes
    ]


def unread(command: UnreadRoom, actor: Actor, tx: Transaction) -> Answer:
    """Move the read position back to just before the message.

    An unread message gets an empty answer.
    """
    own = members.find(tx.connection, command.room, actor.id)
    if own is None or command.message < own.sees_from:
        raise NotFound()
    if reads.number_of(tx.connection, command.room, command.message) is None:
        raise NotFound()
    member = (command.room, actor.id)
    if own.read_seq < command.message:
        return {}
    moves = ReadMoves({member: ReadState(False, own.read_seq, own.joined_seq)}, {member: command.message - 1})
    return _move(tx, moves)[member]


def _forward_all(command: ReadRooms, actor: Actor, moves: ReadMoves, tx: Transaction) -> list[MemberKey]:
    """Note the moves of a command, and return the read positions that move."""
    moved = []
    for target in command.rooms:
        member = (target.room, actor.id)
        try:
            if moves.forward(member, target.seq, tx):
                moved.append(member)
        except NotFound:
            continue
    return moved


def _move(tx: Transaction, moves: ReadMoves) -> dict[MemberKey, Answer]:
    """Store the moves and append their events.

    Return the answers in the order of the events.
    """
    if not moves.last:
        return {}
    targets = [ReadTarget(*member, seq, moves.own[member].joined_seq or 0) for member, seq in moves.last.items()]
    counts = reads.standing(tx, targets)
    reads.move(tx, [(target.room, target.user, target.seq, n) for target, (n, _) in zip(targets, counts, strict=True)])
    answers: dict[MemberKey, Answer] = {}
    for target, (n, mentions) in zip(targets, counts, strict=True):
        unread = tx.head(room_topic(target.room)).n - n
        event = ReadMoved(
            person=target.user, room=target.room, read_seq=target.seq, unread_count=unread, mention_count=mentions
        )
        entry = tx.append(event)
        answers[target.room, target.user] = {"topic": entry.topic, "seq": entry.seq}
    return answers
