"""Housekeeping: trim logs and delete old invites."""

from hubbub.domain.commands import ForgetInvites, TrimTopic
from hubbub.domain.model import Gone
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import invites, log
from hubbub.storage.transaction import Transaction


@handles(TrimTopic)
def trim(request: Request[TrimTopic], tx: Transaction) -> Gone:
    """Delete the oldest entries of a topic's log and raise its floor.

    Answer with their number.
    """
    command = request.command
    if not tx.knows(command.topic):
        return {"gone": 0}
    return {"gone": log.trim(tx, command.topic, command.before, command.limit)}


@handles(ForgetInvites)
def forget_invites(request: Request[ForgetInvites], tx: Transaction) -> Gone:
    """Delete ended invites and answer with their number.

    Usable invites stay, whatever `before` is.
    """
    command = request.command
    return {"gone": invites.remove_ended(tx, min(command.before, tx.now), command.limit)}
