"""Housekeeping: trim logs, and delete what ended long ago."""

from collections.abc import Callable

from hubbub.domain.commands import Prunable, Prune, TrimTopic
from hubbub.domain.model import Gone
from hubbub.features.shared.followers import HOUSEKEEPING, check_site_lease
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import accounts, idempotency_keys, invites, log
from hubbub.storage.transaction import Transaction

PRUNING: dict[Prunable, Callable[[Transaction, int, int], int]] = {
    "answers": idempotency_keys.forget,
    "invites": invites.remove_ended,
    "tokens": invites.remove_expired_tokens,
}
"""Functions that delete at most so many rows from before a time, and return how many."""


@handles(TrimTopic)
def trim(request: Request[TrimTopic], tx: Transaction) -> Gone:
    """Delete the oldest entries of a topic's log and raise its floor.

    Answer with their number. The topic of a user who is gone goes with its last entry.
    """
    command = request.command
    check_site_lease(tx, HOUSEKEEPING, command.fence)
    if not tx.knows(command.topic):
        return {"gone": 0}
    gone = log.trim(tx, command.topic, command.before, command.limit)
    head = tx.head(command.topic)
    if gone and head.floor == head.seq and accounts.is_gone(tx.connection, command.topic):
        log.remove_topic(tx, command.topic)
    return {"gone": gone}


@handles(Prune)
def prune(request: Request[Prune], tx: Transaction) -> Gone:
    """Delete what ended before a time, and answer with its number.

    What has not ended stays, whatever `before` is.
    """
    command = request.command
    check_site_lease(tx, HOUSEKEEPING, command.fence)
    return {"gone": PRUNING[command.what](tx, min(command.before, tx.now), command.limit)}
