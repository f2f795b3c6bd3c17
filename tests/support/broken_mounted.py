"""`examples/mounted.py` with one promise broken, named by BROKEN, as in broken_server: for negative controls.

An ASGI server is given `tests.support.broken_mounted:app`.
"""

import os

from examples.mounted import app

from hubbub.domain.events import Entry, IdentityRevoked
from hubbub.engine.live_connections import ConnectionHub
from tests.support.broken_server import FAULTS

__all__ = ["app"]


def deaf_to_revocations() -> None:
    """A log-out at the app is stored, and no connection hears of it."""

    def deaf(self: ConnectionHub, event: IdentityRevoked, entry: Entry) -> None:
        pass

    ConnectionHub._identity_revoked = deaf  # type: ignore[method-assign]


{**FAULTS, "deaf-to-revocations": deaf_to_revocations}[os.environ["BROKEN"]]()
