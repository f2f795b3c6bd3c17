"""`examples/mounted.py` with one guarantee broken, for negative controls.

The environment variable BROKEN names the faults, as in broken_server. ASGI servers run it as
`tests.support.broken_mounted:app`.
"""

import os

from examples.mounted import app

from hubbub.domain.events import Entry, IdentityRevoked
from hubbub.engine.live_connections import ConnectionHub
from tests.support.broken_server import FAULTS

__all__ = ["app"]


def deaf_to_revocations() -> None:
    """Store a log-out at the host application, but notify no connection."""

    def deaf(self: ConnectionHub, event: IdentityRevoked, entry: Entry) -> None:
        pass

    ConnectionHub._identity_revoked = deaf  # type: ignore[method-assign]


for fault in os.environ["BROKEN"].split():
    {**FAULTS, "deaf-to-revocations": deaf_to_revocations}[fault]()
