"""Read positions: how far somebody has read, the same on all devices."""

from hubbub.domain.commands import ReadRoom
from hubbub.domain.errors import BadRequest, NotFound
from hubbub.domain.events import ReadMoved
from hubbub.domain.model import Actor, room_topic
from hubbub.storage import members, messages
from hubbub.storage.transaction import Transaction


def read(command: ReadRoom, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Moves forward only; a position that moves nothing is answered with an empty object."""
    own = members.find(tx.connection, command.room, actor.id)
    if own is None:
        raise NotFound()
    head = tx.head(room_topic(command.room))
    if command.seq > head.seq:
        raise BadRequest("There is nothing yet at that position.")
    if command.seq <= own.read_seq:
        return {}
    n = head.n if command.seq == head.seq else messages.number_at(tx.connection, command.room, command.seq)
    members.move_read(tx, command.room, actor.id, command.seq, n)
    entry = tx.append(ReadMoved(person=actor.id, room=command.room, read=command.seq, unread=head.n - n))
    return {"topic": entry.topic, "seq": entry.seq}
