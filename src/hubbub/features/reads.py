"""Read positions: how far somebody has read, the same on all devices. Runs of them are decided at once."""

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
    """Where the people of a run were, and where the last command of each puts them."""

    own: dict[MemberKey, ReadState]
    last: dict[MemberKey, int] = field(default_factory=dict)

    def forward(self, who: MemberKey, seq: int, tx: Transaction) -> bool:
        """Notes a move; False if it would be none. Raises NotFound, BadRequest, Forbidden."""
        own = self.own.get(who, ReadState())
        if own.disabled:
            raise Forbidden("This account is closed.")
        if own.read_seq is None:
            raise NotFound()
        if seq > tx.head(room_topic(who[0])).seq:
            raise BadRequest("There is nothing yet at that position.")
        if seq <= self.last.get(who, own.read_seq):
            return False
        self.last[who] = seq
        return True


def read(run: Sequence[tuple[ReadRoom, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Moves forward only; what moves nothing is answered with an empty object. Each moves once, to his last place."""
    moves = ReadMoves(reads.own(tx, [(command.room, actor.id) for command, actor in run]))
    outcomes: list[bool | HubbubError] = []
    for command, actor in run:
        try:
            outcomes.append(moves.forward((command.room, actor.id), command.seq, tx))
        except HubbubError as refusal:
            outcomes.append(refusal)
    answers = _move(tx, moves)
    return [
        outcome if isinstance(outcome, HubbubError) else answers[command.room, actor.id] if outcome else {}
        for (command, actor), outcome in zip(run, outcomes, strict=True)
    ]


def read_all(run: Sequence[tuple[ReadRooms, Actor]], tx: Transaction) -> list[Answer | HubbubError]:
    """Several rooms each; a room one is not in is passed over. The answer is where the last of the moves stands."""
    moves = ReadMoves(reads.own(tx, [(each.room, actor.id) for command, actor in run for each in command.rooms]))
    outcomes: list[list[MemberKey] | HubbubError] = []
    for command, actor in run:
        before = dict(moves.last)
        try:
            outcomes.append(_forward_all(command, actor, moves, tx))
        except HubbubError as refusal:
            moves.last = before
            outcomes.append(refusal)
    answers = _move(tx, moves)
    order = {who: place for place, who in enumerate(answers)}
    return [
        outcome if isinstance(outcome, HubbubError) else answers[max(outcome, key=order.__getitem__)] if outcome else {}
        for outcome in outcomes
    ]


def unread(command: UnreadRoom, actor: Actor, tx: Transaction) -> Answer:
    """Moves back only, to just before the message; one that is unread already is answered with an empty object."""
    own = members.find(tx.connection, command.room, actor.id)
    if own is None or command.message < own.sees_from:
        raise NotFound()
    if reads.number_of(tx.connection, command.room, command.message) is None:
        raise NotFound()
    who = (command.room, actor.id)
    if own.read_seq < command.message:
        return {}
    moves = ReadMoves({who: ReadState(False, own.read_seq, own.joined_seq)}, {who: command.message - 1})
    return _move(tx, moves)[who]


def _forward_all(command: ReadRooms, actor: Actor, moves: ReadMoves, tx: Transaction) -> list[MemberKey]:
    """The moves among them."""
    found = []
    for each in command.rooms:
        who = (each.room, actor.id)
        try:
            if moves.forward(who, each.seq, tx):
                found.append(who)
        except NotFound:
            continue
    return found


def _move(tx: Transaction, moves: ReadMoves) -> dict[MemberKey, Answer]:
    """Writes where people are now, and tells them so; the answers by whose they are, in the order of their events."""
    if not moves.last:
        return {}
    places = [ReadTarget(*who, seq, moves.own[who].joined_seq or 0) for who, seq in moves.last.items()]
    standing = reads.standing(tx, places)
    reads.move(tx, [(place.room, place.user, place.seq, n) for place, (n, _) in zip(places, standing, strict=True)])
    answers: dict[MemberKey, Answer] = {}
    for place, (n, mentions) in zip(places, standing, strict=True):
        unread = tx.head(room_topic(place.room)).n - n
        event = ReadMoved(person=place.user, room=place.room, read=place.seq, unread=unread, mentions=mentions)
        entry = tx.append(event)
        answers[place.room, place.user] = {"topic": entry.topic, "seq": entry.seq}
    return answers
