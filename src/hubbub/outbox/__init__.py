"""Posting in the host application's own SQL transaction.

This package is for programs that only post, too: it imports neither the server nor a database
driver, and SQLAlchemy only if the program uses it.
"""

from hubbub.outbox.outbox import DeadPost, Outbox

__all__ = ["DeadPost", "Outbox"]
