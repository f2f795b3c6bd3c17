"""An echo server in its own process: the delay that the machine alone causes.

`python -m tests.conformance.reference` prints its port and runs until it is terminated.
"""

import asyncio
import contextlib
import sys
import time


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(line)
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


class Reference:
    """The echo process, and one connection to it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> "Reference":
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        return cls(process, *await asyncio.open_connection("127.0.0.1", port))

    async def once(self) -> float:
        """Return the seconds until the echo arrives."""
        begin = time.monotonic()
        self._writer.write(b"still there?\n")
        await self._reader.readline()
        return time.monotonic() - begin

    async def stop(self) -> None:
        self._writer.close()
        self._process.terminate()
        await self._process.wait()


if __name__ == "__main__":
    asyncio.run(main())
