"""What the server asks of itself: forgetting the old part of a log, and invites that ended long ago."""

from hubbub.domain.commands import ForgetInvites, TrimTopic
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import Actor
from hubbub.storage import invites, log
from hubbub.storage.transaction import Transaction


def trim(command: TrimTopic, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Removes a prefix of the topic's log and moves its floor; answers with the number of entries that are gone."""
    if not actor.system:
        raise Forbidden()
    if not tx.knows(command.topic):
        return {"gone": 0}
    return {"gone": log.trim(tx, command.topic, command.before, command.limit)}


def forget_invites(command: ForgetInvites, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Answers with the number that is gone. One that can still be used is not among them, whenever `before` is."""
    if not actor.system:
        raise Forbidden()
    return {"gone": invites.remove_ended(tx, min(command.before, tx.now), command.limit)}
