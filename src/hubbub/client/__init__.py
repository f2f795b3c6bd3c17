"""A client of hubbub.v1 for programs: sends until it is acknowledged, hears everything once, over any reconnects.

    async with Client("http://localhost:8000", username="bot", password="…") as client:
        await client.send(1, "hello")
        async for entry in client.events():
            ...

Knows the domain's words and the protocol's numbers, nothing of the server.
"""

from hubbub.client.client import Client
from hubbub.client.entries import Entry, Positions, Reset, Sent
from hubbub.client.refusals import Ended, Interrupted

__all__ = ["Client", "Ended", "Entry", "Interrupted", "Positions", "Reset", "Sent"]
