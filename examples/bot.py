"""A bot that answers `!ping` in each of its rooms, and joins every new public room.

    BOT_URL=http://localhost:8000 BOT_NAME=bot BOT_PASSWORD=… python examples/bot.py

It stores its positions in a file. After a restart it answers the messages that were sent while it was away, once each.
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

PLACE = Path(os.environ.get("BOT_PLACE", "bot.json"))


def answer(said: MessageSent) -> str | None:
    """Return the answer to a message, or None."""
    return f"pong, {said.name}" if said.body == "!ping" else None


async def consider(client: Client, entry: Entry) -> None:
    match entry.event:
        case MessageSent(by=author, room=room) as said if author != client.me.id:
            text = answer(said)
            if text is not None:
                # The key makes it one answer, even if the bot is killed before it has stored its positions.
                await client.send(room, text, key=f"pong {entry.seq}")
        case RoomCreated(room=room, in_site=True):
            await client.command("room.join", room=room.id)


async def answered(client: Client, entry: Entry) -> None:
    """Handle an entry until it succeeds or is refused for good. A repetition has no further effect."""
    while True:
        try:
            await consider(client, entry)
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
            await answered(client, entry)
        note(client.positions)


def note(positions: Positions) -> None:
    """Replace the file in one step, so that it is complete whenever the bot is killed."""
    new = PLACE.with_suffix(".new")
    new.write_text(json.dumps(asdict(positions)))
    new.replace(PLACE)


def recall() -> Positions | None:
    return Positions(**json.loads(PLACE.read_text())) if PLACE.exists() else None


async def main() -> None:
    url, name, password = (os.environ[f"BOT_{what}"] for what in ("URL", "NAME", "PASSWORD"))
    async with Client(url, username=name, password=password, since=recall()) as client:
        note(client.positions)  # from here on nothing is missed
        print(f"{client.me.name} is in {', '.join(room.name for room in client.rooms.values())}.", flush=True)  # noqa: T201
        await run(client)


if __name__ == "__main__":
    asyncio.run(main())
