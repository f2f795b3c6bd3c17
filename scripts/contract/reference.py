"""docs/protocol.md: the prose of protocol.md beside this file, with tables out of the models."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scripts.contract.words import ASKED, Schema, answers

from hubbub.domain import names, text
from hubbub.domain.errors import ERRORS
from hubbub.domain.events import CLIENT_EVENTS, ENVELOPE, Event, PersonalEvent, RoomEvent
from hubbub.engine import limits
from hubbub.engine.ephemeral import TYPING_CROWD
from hubbub.features.sync import MISSING
from hubbub.gateways.http.errors import STATUS
from hubbub.gateways.websocket.native import DROP_AFTER, MAX_FRAGMENTS, PING_EVERY
from hubbub.protocol import close_codes
from hubbub.protocol.session import MAX_KEPT
from hubbub.settings import PREFIX, Settings
from hubbub.storage.reactions import SHOWN

TEMPLATE = Path(__file__).with_name("protocol.md")
OBJECTS = ("User", "Room", "Member", "Message", "Session", "Welcome", "ServerLimits", "EventPage", "NoWay")
NOTICED = {
    "frame_bytes": "bytes in a WebSocket message",
    "outbox_bytes": "bytes that may wait for a client before it is closed with 4008",
    "hello_timeout": "seconds until `hello` must have come",
    "connections_per_user": "connections one person may have; the next is closed with 4009",
    "rate_limits": "whether what comes too often is refused",
    "retention_days": "days after which the log is trimmed; messages stay",
    "access_token_seconds": "seconds an access token can be shown; a connection lives on",
    "session_idle_days": "days without being seen after which a session ends",
    "session_max_days": "days after which a session ends in any case",
    "signup": "who may make an account: `invite`, `open` or `closed`",
    "guests": "whether plain text is open to people without an account",
}
"""The settings a client can tell, and how."""
RATES = {
    "SENDS": "sending, forwarding and editing messages, per person",
    "COMMANDS": "everything else that changes something, per person",
    "ROOMS": "making rooms, per person, besides",
    "LOGINS_PER_ACCOUNT": "attempts to log in, per account",
    "LOGINS_PER_ADDRESS": "attempts to log in, and to show an invite or a reset link, per address",
    "SIGNUPS_PER_ADDRESS": "new accounts without an invite, per address",
}


def page(words: Schema) -> str:
    """The whole page. Raises KeyError for a mark in the template that nobody fills."""
    marks = {
        "events": _events(words),
        "commands": _commands(words),
        "objects": _objects(words),
        "errors": _errors(),
        "closes": _table(
            ("Code", "Means"), ((str(code), close_codes.MEANING[code]) for code in sorted(close_codes.MEANING))
        ),
        "limits": _limits(),
        "rates": _rates(),
        "settings": _settings(),
        "missing": str(MISSING),
        "counted": str(text.MENTIONS_COUNTED),
        "named": str(SHOWN),
        "crowd": str(TYPING_CROWD),
        "ping": f"{PING_EVERY:g}",
        "silent": f"{DROP_AFTER:g}",
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: marks[mark[1]], TEMPLATE.read_text(encoding="utf-8"))


def _events(words: Schema) -> str:
    rows = (
        (_whose(event), f"`{event.type}`", _fields(words, event.__name__, ENVELOPE), _first(event.__doc__))
        for event in CLIENT_EVENTS
    )
    return _table(("Topic", "Event", "Fields", "Means"), rows)


def _whose(event: type[Event]) -> str:
    if issubclass(event, PersonalEvent):
        return "`user:ID`"
    return "`room:ID`" if issubclass(event, RoomEvent) else "`room:ID`, `site`"


def _commands(words: Schema) -> str:
    rows = []
    for asked in ASKED:
        kind = words["$defs"][asked.__name__]["properties"]["type"]["const"]
        ok = "; or ".join(_names(words, model.__name__) for model in answers()[kind])
        rows.append((f"`{kind}`", _fields(words, asked.__name__, ("id", "type")), ok, _first(asked.__doc__)))
    return _table(("Command", "Fields", "`ok`", "Does"), rows)


def _objects(words: Schema) -> str:
    rows = ((name, _fields(words, name, ("type",)), words["$defs"][name].get("description", "")) for name in OBJECTS)
    return _table(("Object", "Fields", "Is"), rows)


def _fields(words: Schema, name: str, known: Iterable[str]) -> str:
    """Every field but those the reader knows already, with what it means where that cannot be guessed."""
    schema = words["$defs"][name]
    required = schema.get("required", ())
    return ", ".join(
        f"`{field}`{'' if field in required else '?'}{_said(inner)}"
        for field, inner in schema["properties"].items()
        if field not in set(known)
    )


def _said(schema: Mapping[str, str]) -> str:
    said = " ".join(schema.get("description", "").split()).removesuffix(".")
    if not said:
        return ""
    return f" ({said[0].lower() if not said[:2].isupper() else said[0]}{said[1:]})"


def _names(words: Schema, name: str) -> str:
    schema = words["$defs"][name]
    required = schema.get("required", ())
    found = (f"`{field}`{'' if field in required else '?'}" for field in schema["properties"])
    return ", ".join(found)


def _errors() -> str:
    rows = (
        (f"`{error.code}`", str(STATUS[error.code]), "yes" if error.retryable else "no", error.sentence)
        for error in ERRORS
    )
    return _table(("Code", "HTTP", "Try again?", "Says, where it says nothing better"), rows)


def _limits() -> str:
    rows = (
        ("characters in a message", text.MAX_BODY_CHARACTERS),
        ("bytes of UTF-8 in a message", text.MAX_BODY_BYTES),
        ("characters in a key", text.MAX_KEY),
        ("characters in a user's name", names.MAX_USER_NAME),
        ("characters in a room's name", names.MAX_ROOM_NAME),
        ("characters in a room's topic", text.MAX_TOPIC),
        ("characters in a room's description", text.MAX_DESCRIPTION),
        ("characters in the reason of a ban", text.MAX_REASON),
        ("characters in a status", text.MAX_STATUS),
        ("people in a direct room", text.MAX_DIRECT),
        ("people put into a room when it is made", text.MAX_INVITED),
        ("rooms one person is in, direct ones aside", text.MAX_ROOMS),
        ("direct rooms one person has made", text.MAX_DIRECT_MADE),
        ("of them with the same other person", text.MAX_DIRECT_WITH),
        ("pinned messages in a room, of those one sees", text.MAX_PINS),
        ("different emoji at a message", text.MAX_REACTIONS),
        ("names that count in a message", text.MAX_MENTIONS),
        ("mentions that are counted in a room", text.MENTIONS_COUNTED),
        ("members of a room in which everybody may call all of them", text.LOUD_MEMBERS),
        ("people whose presence a connection looks at", text.MAX_WATCHED),
        ("read positions moved at once", text.MAX_READ_ROOMS),
        ("events or messages in a page", text.MAX_PAGE),
        ("topics in `have`", text.MAX_HAVE),
        ("levels of JSON", text.MAX_DEPTH),
        ("fragments of one WebSocket message", MAX_FRAGMENTS),
        ("frames a client may send before it has heard `welcome`", MAX_KEPT),
        ("the highest id and seq", text.MAX_ID),
    )
    return _table(("At most", "Number"), ((name, f"{number:,}") for name, number in rows))


def _rates() -> str:
    found = ((words, getattr(limits, name)) for name, words in RATES.items())
    rows = ((words, _rate(limit.rate), str(limit.burst)) for words, limit in found)
    return _table(("What", "In the long run", "At once"), rows)


def _rate(rate: float) -> str:
    for unit, seconds in (("a second", 1), ("a minute", 60), ("an hour", 3600)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.3g} {unit}"
    raise ValueError(f"a rate below one an hour: {rate}")


def _settings() -> str:
    rows = ((f"`{PREFIX}{name.upper()}`", _default(name), meaning) for name, meaning in NOTICED.items())
    return _table(("Setting", "Default", "Means"), rows)


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _first(doc: str | None) -> str:
    return " ".join((doc or "").strip().partition("\n\n")[0].split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
