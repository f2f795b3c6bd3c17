"""A hubbub.v1 client for programs.

It sends until acknowledged, and receives each event once, over any reconnects::

    async with Client("http://localhost:8000", username="bot", password="…") as client:
        await client.send(1, "hello")
        async for entry in client.events():
            ...

It depends on the domain's types and the protocol's close codes, not on the server.
"""

from hubbub import extras

try:
    from hubbub.client.client import Client
    from hubbub.client.entries import Entry, Positions, Reset, Sent
    from hubbub.client.refusals import Ended, Interrupted
except ModuleNotFoundError as error:
    raise extras.explain(error, "hubbub.client", "client") from None

__all__ = ["Client", "Ended", "Entry", "Interrupted", "Positions", "Reset", "Sent"]
