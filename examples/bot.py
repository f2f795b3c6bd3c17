"""A bot that answers `!ping` in its rooms and joins every new public room.

    BOT_URL=http://localhost:8000 BOT_NAME=bot BOT_PASSWORD=… python examples/bot.py

It stores its positions in a file, so that after a restart it answers missed messages once.
"""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path

from hubbub import Client
from hubbub.client import Ended, Entry, Interrupted, Positions
from hubbub.domain.errors import HubbubError, RateLimited
from hubbub.domain.events import MessageSent, RoomCreated

POSITIONS = Path(os.environ.get("BOT_POSITIONS", "bot.json"))


def answer(message: MessageSent) -> str | None:
    """Return the bot's answer to a message; None for most messages."""
    return f"pong, {message.name}" if message.body == "!ping" else None


async def handle(client: Client, entry: Entry) -> None:
    match entry.event:
        case MessageSent(by=author, room=room) as message if author != client.me.id:
            text = answer(message)
            if text is not None:
                # With the key the answer is sent once, even if the bot is killed before it stores
                # its positions.
                await client.send(room, text, key=f"pong {entry.seq}")
        case RoomCreated(room=room, in_site=True):
            await client.command("room.join", room=room)


async def handle_with_retries(client: Client, entry: Entry) -> None:
    """Handle an entry until it succeeds or is refused.

    Retrying is safe: all commands here are idempotent.
    """
    while True:
        try:
            await handle(client, entry)
        except RateLimited as error:
            await asyncio.sleep(error.retry_after or 1.0)
        except Interrupted:
            continue
        except Ended:
            return
        except HubbubError as error:
            print(f"{entry.topic} {entry.seq}: {error}")  # noqa: T201
            return
        else:
            return


async def run(client: Client) -> None:
    async for entry in client.events():
        if isinstance(entry, Entry):
            await handle_with_retries(client, entry)
        save(client.positions)


def save(positions: Positions) -> None:
    """Replace the file in one step.

    If the bot is killed, either the old or the new file remains.
    """
    new = POSITIONS.with_suffix(".new")
    new.write_text(json.dumps(asdict(positions)))
    new.replace(POSITIONS)


def load() -> Positions | None:
    return Positions(**json.loads(POSITIONS.read_text())) if POSITIONS.exists() else None


async def main() -> None:
    url, name, password = (os.environ[f"BOT_{what}"] for what in ("URL", "NAME", "PASSWORD"))
    async with Client(url, username=name, password=password, since=load()) as client:
        save(client.positions)  # from here on no event is missed
        print(f"{client.me.name} is in {', '.join(room.name for room in client.rooms.values())}.", flush=True)  # noqa: T201
        await run(client)


if __name__ == "__main__":
    asyncio.run(main())
