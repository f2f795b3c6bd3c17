"""`examples/orders.py`, which kills its process at a step that the test names in a file.

ASGI servers run it as `tests.outbox.orders_app:app`. The process that reaches the step removes the
file APP_STEP first, so that one process is killed, once. With APP_BROKEN it posts outside of the
order's transaction.
"""

import os
import signal
from pathlib import Path
from typing import Any

from examples.orders import app, engine
from sqlalchemy import event
from sqlalchemy.orm import Session

from hubbub.host.outbox import Poster
from hubbub.outbox import Outbox
from hubbub.outbox.posts import OutboxPost
from tests.outbox.killed_host import Death, watch

__all__ = ["app"]

STEP = Path(os.environ["APP_STEP"])


class FileDeath(Death):
    """Kills this process at the step that the file names."""

    def __init__(self) -> None:
        super().__init__(None)

    def at(self, step: str) -> None:
        try:
            if STEP.read_text() != step:
                return
            STEP.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


death = FileDeath()
watch(death)
write, submit = Outbox.post, Poster.__call__


def watched_post(self: Outbox, session: Any, **fields: Any) -> str:
    if os.environ.get("APP_BROKEN"):
        with engine.begin() as other:
            key = write(self, other, **fields)
    else:
        key = write(self, session, **fields)
    death.at("inserted")
    return key


async def watched_submit(self: Poster, post: OutboxPost) -> None:
    death.at("submitting")
    await submit(self, post)
    death.at("answered")


Outbox.post = watched_post  # type: ignore[method-assign,assignment]
Poster.__call__ = watched_submit  # type: ignore[method-assign]


@event.listens_for(Session, "after_commit")
def committed(session: Session) -> None:
    death.at("committed")
