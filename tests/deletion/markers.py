"""A marker in every text field of every command, and where markers are found."""

import asyncio
import zipfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hubbub.clock import Clock
from hubbub.domain.commands import AnySignal, AnyWireCommand, EventsSince, ForwardMessage, SendMessage
from hubbub.domain.commands.examples import Fields
from hubbub.domain.commands.messages import MessageCommand
from hubbub.domain.text import timestamp
from hubbub.storage import backup
from hubbub.storage.database import Database
from tests.bugs.sides import Side
from tests.support import text_fields
from tests.support.server import Server

COMMANDS: dict[str, Any] = {
    kind.model_fields["type"].default: kind for union in (AnyWireCommand, AnySignal) for kind in union.__args__
} | {EventsSince.model_fields["type"].default: EventsSince}
Field = tuple[str, str]
"""A command's wire name and the path of a text field in it."""

EMOJI = {"reaction.add": "🧿", "reaction.remove": "🪬", "status.set": "🪅"}
"""Markers that are emoji. No other test data has them."""
MOMENT = timestamp(Clock().now() + 300 * 86_400_000)
"""The only text that is not made up. Clocks give no other time like it."""
CANNOT_HOLD_A_MARKER = {("events.since", "topic")}
"""Fields whose values the server has made."""


def fields() -> dict[Field, dict[str, Any]]:
    """Return the schema of every text field of every command that clients can send."""
    return {
        (kind, ".".join(path)): schema
        for kind, model in COMMANDS.items()
        for path, schema in text_fields.of_command(model).items()
        if (kind, ".".join(path)) not in CANNOT_HOLD_A_MARKER
    }


def marker(where: Field, schema: dict[str, Any]) -> str:
    """Return a text that is unique to the field and valid in it: one word, as the search index has it."""
    kind, path = where
    if schema.get("format") == "date-time":
        return MOMENT
    if path.rsplit(".", 1)[-1] == "emoji":
        return EMOJI[kind]
    return "".join(filter(str.isalpha, f"zq{kind}{path}qz"))


def is_about_a_message(kind: str) -> bool:
    return issubclass(COMMANDS[kind], SendMessage | ForwardMessage | MessageCommand)


@dataclass
class Traces:
    """The places where each marker was found. A marker that was not found has none."""

    places: dict[str, set[str]] = field(default_factory=dict)

    def look(self, markers: Iterable[str], content: str | bytes, place: str) -> None:
        searched = content if isinstance(content, bytes) else content.encode()
        for each in markers:
            if each.encode() in searched:
                self.places.setdefault(each, set()).add(place)


def in_tables(markers: Iterable[str], url: str) -> Traces:
    found = Traces()
    with closing(Database(url)) as database, database.reader.connect() as connection:
        for name in backup.ordinary(connection):
            rows = connection.execute(text(f'SELECT * FROM "{name}"'))
            found.look(markers, "\n".join(" ".join(map(str, row)) for row in rows), f"table {name}")
    return found


def in_files(markers: Iterable[str], folder: Path) -> Traces:
    """Look into the files of a folder, the database with its write-ahead log among them."""
    found = Traces()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.look(markers, file.read_bytes(), f"file {file.name}")
    return found


def in_backup(markers: Iterable[str], server: Server) -> Traces:
    """Make a backup and look into it, unpacked."""
    file = server.data.parent / "after.zip"
    server.command_line("backup", str(file))
    found = Traces()
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            found.look(markers, archive.read(name).decode("utf-8", "replace"), f"backup {name}")
    file.unlink()
    return found


@dataclass
class Marked:
    """The commands that have been sent, with their markers and what they were about."""

    side: Side
    sent: dict[str, Fields] = field(default_factory=dict)
    markers: dict[Field, str] = field(default_factory=dict)

    async def send(self, kinds: Iterable[str]) -> None:
        """Send one command of each kind, with a marker in each of its text fields."""
        schemas = fields()
        for kind in kinds:
            own = {path: marker((of, path), schema) for (of, path), schema in schemas.items() if of == kind}
            if not own:
                continue
            given = await self.side.prepare(kind)
            if kind == "reaction.remove":
                place = {name: given[name] for name in ("room", "message")}
                await self.side.do("reaction.add", **place, emoji=EMOJI[kind])
            for path, text_ in own.items():
                _place(given, path.split("."), text_)
            wanted = COMMANDS[kind].model_json_schema(by_alias=True)["properties"]
            answer = await self.side.do(kind, **{name: value for name, value in given.items() if name in wanted})
            self.markers |= {(kind, path): text_ for path, text_ in own.items()}
            self.sent[kind] = given | {"answer": answer}

    async def rearrange(self) -> None:
        """Forward, edit, pin and react, so that the text is in as many places as possible."""
        for kind in ("message.send", "message.edit"):
            if kind in self.sent:
                place = self._message(kind)
                await self.side.do("message.pin", **place)
                await self.side.do("reaction.add", **place, emoji="👍")
                copy = await self.side.do("message.forward", room=place["room"], key=kind, from_room=place["room"],
                                          message=place["message"])  # fmt: skip
                self.sent[f"copy of {kind}"] = {"room": place["room"], "message": copy["seq"]}
        if "message.edit" in self.sent:
            await self.side.do("message.edit", **self._message("message.edit"), body="harmless")

    async def delete(self) -> None:
        """Delete the messages, and replace or end everything else that has a text."""
        for kind in self.sent:
            if kind.startswith("copy of ") or is_about_a_message(kind):
                await self.side.do("message.delete", **self._message(kind))
        other = {"topic": "harmless", "description": "harmless"}
        for kind in ("room.create", "room.update"):
            if kind in self.sent:
                room = self.sent[kind].get("room") or self.sent[kind]["answer"]["room"]["id"]
                await self.side.do("room.update", room=room, name=f"harmless {kind}", **other)
        if "member.ban" in self.sent:
            banned = self.sent["member.ban"]
            await self.side.do("member.unban", room=banned["room"], user=banned["user"])
        if "status.set" in self.sent:
            await self.side.do("status.set", status="online")

    def _message(self, kind: str) -> Fields:
        sent = self.sent[kind]
        made = kind in ("message.send", "message.forward")
        return {"room": sent["room"], "message": sent["answer"]["seq"] if made else sent["message"]}


def _place(given: Any, path: list[str], value: str) -> None:
    """Put a value into nested objects and lists."""
    name, *rest = path
    if name == "[]":
        if not rest:
            given.append(value)
            return
        given[:] = given or [{}]
        for each in given:
            _place(each, rest, value)
    elif rest:
        _place(given.setdefault(name, [] if rest[0] == "[]" else {}), rest, value)
    else:
        given[name] = value


async def found(search: Any, *arguments: Any) -> Traces:
    traces: Traces = await asyncio.to_thread(search, *arguments)
    return traces
