"""Read positions: one per user and room, shared by all of the user's devices."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hubbub.domain.commands import ReadRoom, ReadRooms, UnreadRoom
from hubbub.domain.errors import BadRequest, HubbubError
from hubbub.domain.events import ReadMoved
from hubbub.domain.model import MaybePosition, room_topic
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles, handles_run
from hubbub.storage import reads
from hubbub.storage.reads import ReadState, ReadTarget
from hubbub.storage.transaction import Transaction

MemberKey = tuple[int, int]
"""(room, user)"""


@dataclass(slots=True)
class ReadMoves:
    """The moves of a run: each stored read position, and its last new seq."""

    own: dict[MemberKey, ReadState]
    last: dict[MemberKey, int] = field(default_factory=dict)

    def forward(self, member: MemberKey, seq: int, tx: Transaction) -> bool:
        """Note a move. Return False if the position is there already or beyond.

        Raises BadRequest.
        """
        own = self.own[member]
        if seq > tx.head(room_topic(member[0])).seq:
            raise BadRequest("seq: must not be above the newest seq of the room.")
        if seq <= self.last.get(member, own.read_seq):
            return False
        self.last[member] = seq
        return True


@handles_run(ReadRoom)
def read(run: Sequence[Request[ReadRoom]], tx: Transaction) -> list[MaybePosition | HubbubError]:
    """Move a run of read positions forward.

    Commands that move nothing get an empty answer. Each position moves once, to the last seq of the
    run. All its commands get that event's position.
    """
    moves = ReadMoves({_member(request): ReadState(request.own.read_seq, request.own.joined_seq) for request in run})
    outcomes: list[bool | HubbubError] = []
    for request in run:
        try:
            outcomes.append(moves.forward(_member(request), request.command.seq, tx))
        except HubbubError as error:
            outcomes.append(error)
    answers = _move(tx, moves)
    return [
        outcome if isinstance(outcome, HubbubError) else answers[_member(request)] if outcome else {}
        for request, outcome in zip(run, outcomes, strict=True)
    ]


@handles_run(ReadRooms)
def read_all(run: Sequence[Request[ReadRooms]], tx: Transaction) -> list[MaybePosition | HubbubError]:
    """Move the read positions of several rooms per command.

    Rooms without membership are skipped. The answer is the position of the last move.
    """
    asked = [(target.room, request.actor.id) for request in run for target in request.command.rooms]
    moves = ReadMoves(reads.own(tx, asked))
    outcomes: list[list[MemberKey] | HubbubError] = []
    for request in run:
        before = dict(moves.last)
        try:
            outcomes.append(_forward_all(request, moves, tx))
        except HubbubError as error:
            moves.last = before
            outcomes.append(error)
    answers = _move(tx, moves)
    order = {member: index for index, member in enumerate(answers)}
    return [
        outcome if isinstance(outcome, HubbubError) else answers[max(outcome, key=order.__getitem__)] if outcome else {}
        for outcome in outcomes
    ]


@handles(UnreadRoom)
def unread(request: Request[UnreadRoom], tx: Transaction) -> MaybePosition:
    """Move the read position back to just before the message.

    An unread message gets an empty answer.
    """
    command, own = request.command, request.own
    member = (command.room, request.actor.id)
    if own.read_seq < command.message:
        return {}
    moves = ReadMoves({member: ReadState(own.read_seq, own.joined_seq)}, {member: command.message - 1})
    return _move(tx, moves)[member]


def _member(request: Request[ReadRoom]) -> MemberKey:
    return request.command.room, request.actor.id


def _forward_all(request: Request[ReadRooms], moves: ReadMoves, tx: Transaction) -> list[MemberKey]:
    """Note the moves of a command, and return the read positions that move."""
    members = [((target.room, request.actor.id), target.seq) for target in request.command.rooms]
    return [member for member, seq in members if member in moves.own and moves.forward(member, seq, tx)]


def _move(tx: Transaction, moves: ReadMoves) -> dict[MemberKey, MaybePosition]:
    """Store the moves and append their events.

    Return the answers in the order of the events.
    """
    if not moves.last:
        return {}
    targets = [ReadTarget(*member, seq, moves.own[member].joined_seq) for member, seq in moves.last.items()]
    counts = reads.standing(tx, targets)
    reads.move(tx, [(target.room, target.user, target.seq, n) for target, (n, _) in zip(targets, counts, strict=True)])
    answers: dict[MemberKey, MaybePosition] = {}
    for target, (n, mentions) in zip(targets, counts, strict=True):
        unread = tx.head(room_topic(target.room)).n - n
        event = ReadMoved(
            person=target.user, room=target.room, read_seq=target.seq, unread_count=unread, mention_count=mentions
        )
        entry = tx.append(event)
        answers[target.room, target.user] = entry.maybe_position()
    return answers
