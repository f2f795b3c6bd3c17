"""A bot that answers `!ping` in every room it is in, and joins every public room that is made.

    BOT_URL=http://localhost:8000 BOT_NAME=bot BOT_PASSWORD=… python examples/bot.py

It keeps its place in a file, so that after a restart it answers what was said while it was away, once.
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
    """What the bot has to say to it; None for most things."""
    return f"pong, {said.name}" if said.body == "!ping" else None


async def consider(client: Client, entry: Entry) -> None:
    match entry.event:
        case MessageSent(by=author, room=room) as said if author != client.me.id:
            text = answer(said)
            if text is not None:
                # The key makes it one answer, even if the bot is killed before it notes that it gave it.
                await client.send(room, text, key=f"pong {entry.seq}")
        case RoomCreated(room=room, in_site=True):
            await client.command("room.join", room=room.id)


async def answered(client: Client, entry: Entry) -> None:
    """Until it is done, or refused for good: everything here may be done twice, and is done once."""
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
    """Replaces the file in one step: whoever kills the bot finds the old one or the new one."""
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
