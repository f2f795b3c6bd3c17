"""A receiver of webhooks beside the browser: the one of `tests/webhooks`, in a thread of its own."""

import asyncio

from tests.browser.beside import Beside
from tests.support.waiting import eventually_blocking
from tests.webhooks.receiver import OK, Received, Receiver, status

PATIENCE = 60.0


class HookReceiver(Beside):
    """`answer(500)` makes it fail, `answer(204)` accept."""

    def __init__(self) -> None:
        super().__init__()
        self.receiver = Receiver()
        self.receiver.respond = self._respond
        self._answer = OK
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return self.receiver.url

    def answer(self, code: int) -> None:
        self._answer = OK if code == 204 else status(code)

    def gets(self, count: int) -> list[Received]:
        """Wait until it has processed so many events."""
        processed = self.receiver.processed
        eventually_blocking(lambda: len(processed) >= count, PATIENCE, f"the receiver gets {count} events")
        return processed

    def is_asked(self, count: int) -> None:
        requests = self.receiver.requests
        eventually_blocking(lambda: len(requests) >= count, PATIENCE, f"the receiver is asked {count} times")

    async def _respond(self, request: Received) -> bytes:
        return self._answer

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self.receiver.serve, "127.0.0.1", 0)
        self.receiver.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        self.receiver.hang_up()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the connections that were aborted note their end
