"""The metrics of all processes that share a data folder: workers, each with an operator's socket."""

import asyncio
from contextlib import closing
from pathlib import Path

import structlog

from hubbub.control import short_path, sockets
from hubbub.engine.services import Services
from hubbub.metrics import merge

PATH = "/metrics"
"""On the operator's socket: the metrics of that process alone."""
TIMEOUT = 5.0
"""Seconds for the answer of another worker. Prometheus waits for ten by default."""
LARGEST = 4 * 2**20
"""Bytes of another worker's answer."""
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

logger = structlog.get_logger(__name__)


async def scrape(services: Services) -> bytes:
    """Return the metrics of this process, together with those of the other workers if it is one.

    A worker that does not answer is left out.
    """
    own = await services.metrics.scrape()
    if services.worker is None:
        return own
    others = {number: path for number, path in sockets(services.settings.data).items() if number != services.worker}
    found = dict(zip(others, await asyncio.gather(*map(_ask, others.values())), strict=True))
    pages = {services.worker: own, **{number: page for number, page in found.items() if page is not None}}
    return merge(dict(sorted(pages.items())))


async def _ask(path: Path) -> bytes | None:
    try:
        async with asyncio.timeout(TIMEOUT):
            with short_path(path) as short:
                reader, writer = await asyncio.open_unix_connection(short, limit=LARGEST)
            with closing(writer):
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise ValueError("the answer is not 200")
                return await _read_rest(reader)
    except (FileNotFoundError, ConnectionRefusedError):  # no process has this number now
        return None
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        logger.warning("worker_metrics_missing", socket=path.name, reason=repr(error))
        return None


async def _read_rest(reader: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while part := await reader.read(65_536):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise ValueError("the answer is too large")
    return b"".join(parts)
