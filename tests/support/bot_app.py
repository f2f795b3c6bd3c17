"""`examples/mounted.py` with an endpoint that posts as the bot of the application."""

from examples.mounted import app, hubbub

__all__ = ["app"]


@app.post("/say")
async def say(body: str) -> None:
    """Post to the lobby as the bot `Shop`."""
    await hubbub.users.bot(name="Shop")
    await hubbub.messages.post(1, body)
