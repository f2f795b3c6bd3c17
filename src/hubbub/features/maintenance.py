"""Housekeeping: trim logs and delete old invites."""

from hubbub.domain.commands import ForgetInvites, TrimTopic
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import Actor
from hubbub.storage import invites, log
from hubbub.storage.transaction import Transaction


def trim(command: TrimTopic, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Delete the oldest entries of a topic's log and raise its floor.

    Answer with their number.
    """
    if not actor.system:
        raise Forbidden()
    if not tx.knows(command.topic):
        return {"gone": 0}
    return {"gone": log.trim(tx, command.topic, command.before, command.limit)}


def forget_invites(command: ForgetInvites, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Delete ended invites and answer with their number.

    Usable invites stay, whatever `before` is.
    """
    if not actor.system:
        raise Forbidden()
    return {"gone": invites.remove_ended(tx, min(command.before, tx.now), command.limit)}
