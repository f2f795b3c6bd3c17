"""The status users have set. Which users are connected is not stored."""

from collections.abc import Sequence

from sqlalchemy import Connection

from hubbub.domain.commands import SetStatus
from hubbub.domain.errors import BadRequest
from hubbub.domain.events import StatusChanged
from hubbub.domain.model import MaybePosition, Status
from hubbub.domain.text import milliseconds, timestamp
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import statuses
from hubbub.storage.transaction import Transaction

LONGEST = 366 * 86_400_000
"""The longest duration of a status, in milliseconds."""


@handles(SetStatus)
def set_(request: Request[SetStatus], tx: Transaction) -> MaybePosition:
    """Replace the user's status. If nothing changes, the answer is empty."""
    command, actor = request.command, request.actor
    until = None if command.until is None else milliseconds(command.until)
    if until is not None and not tx.now < until <= tx.now + LONGEST:
        raise BadRequest("until: must be a time within the next year.")
    chosen = Status(
        status=command.status,
        text=command.text or None,
        emoji=command.emoji,
        until=None if until is None else timestamp(until),
    )
    if statuses.of(tx.connection, [actor.id], tx.now)[actor.id][0] == chosen:
        return {}
    statuses.put(tx, actor.id, chosen, until)
    entry = tx.append(StatusChanged(person=actor.id, status=chosen))
    return entry.maybe_position()


def chosen(connection: Connection, users: Sequence[int], now: int) -> dict[int, tuple[Status, int]]:
    """Return each user's status, and the position in their topic it belongs to."""
    return statuses.of(connection, users, now)
