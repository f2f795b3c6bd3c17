"""What the server asks of itself: forgetting the old part of a log."""

from hubbub.domain.commands import TrimTopic
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import Actor
from hubbub.storage import log
from hubbub.storage.transaction import Transaction


def trim(command: TrimTopic, actor: Actor, tx: Transaction) -> dict[str, object]:
    """Removes a prefix of the topic's log and moves its floor; answers with the number of entries that are gone."""
    if not actor.system:
        raise Forbidden()
    if not tx.knows(command.topic):
        return {"gone": 0}
    return {"gone": log.trim(tx, command.topic, command.before, command.limit)}
