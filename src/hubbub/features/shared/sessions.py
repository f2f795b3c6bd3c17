"""Ending sessions."""

from collections.abc import Sequence

from hubbub.domain.events import SessionClosed, SessionRevoked
from hubbub.storage import sessions
from hubbub.storage.transaction import Transaction


def end_sessions(tx: Transaction, user: int, ended: Sequence[str]) -> None:
    """End sessions of one user.

    Appends an event for every node, which closes the sockets, and an event for the user.
    """
    if not ended:
        return
    sessions.delete_all(tx, user, ended)
    for session in ended:
        tx.append(SessionRevoked(session=session, user=user))
        tx.append(SessionClosed(person=user, session=session))
