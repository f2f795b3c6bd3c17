"""docs/protocol.md: the prose of protocol.md beside this file, with tables and examples from the models."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from scripts.contract.examples import Examples, block, exchange, frame
from scripts.contract.words import ASKED, SIGNALS, Schema, answers

from hubbub.domain import names, text
from hubbub.domain.errors import ERRORS
from hubbub.domain.events import CLIENT_EVENTS, ENVELOPE, Event, PersonalEvent, RoomEvent, SiteRoomEvent
from hubbub.engine import limits
from hubbub.engine.ephemeral import TYPING_CROWD
from hubbub.features.sync import MISSING
from hubbub.gateways.http.errors import STATUS
from hubbub.gateways.native.connection import DROP_AFTER, MAX_FRAGMENTS, PING_EVERY
from hubbub.protocol import close_codes
from hubbub.protocol.session import MAX_KEPT
from hubbub.settings import PREFIX, Settings
from hubbub.storage.reactions import SHOWN

TEMPLATE = Path(__file__).with_name("protocol.md")
OBJECTS = ("User", "Room", "Member", "Message", "Session", "Welcome", "ServerLimits", "EventPage", "NoWay")
"""The objects of the page. Those they refer to are listed as well."""
MEANINGS = {
    "EventsSince.topic": "The topic whose events to load.",
    "at": "When it happened.",
    "body": "The text of the message.",
    "changes": "The settings that changed, with their new values.",
    "created_at": "When it was created.",
    "epoch": "The present epoch.",
    "events": "The events, in order.",
    "forwarded": "The original message, if this is a copy.",
    "id": "The id.",
    "joined_at": "When the user joined.",
    "kind": "The kind of the room.",
    "last_seen_at": "When it was last used.",
    "limits": "The limits of this server.",
    "mentions": "The mentioned users; left out if there are none.",
    "name": "The name.",
    "reset": "Always true.",
    "role": "The role of the user.",
    "room": "The room's id.",
    "details": "The object.",
    "session": "The session's id.",
    "status": "The status that the user has chosen.",
    "topic": "What the room is about, in one line.",
    "user": "The user's id.",
}
"""The meaning of fields without a docstring: by object and field, or by field."""
NOTICED = {
    "frame_bytes": "bytes in a WebSocket message",
    "outbox_bytes": "bytes that may wait for a client before the server closes it with 4008",
    "hello_timeout": "seconds until the client must have sent `hello`",
    "connections_per_user": "connections a user may have; the next one is closed with 4009",
    "rate_limits": "whether the rates above apply",
    "retention_days": "days after which the log is trimmed; messages stay",
    "access_token_seconds": "seconds for which an access token is valid; an open connection outlives it",
    "session_idle_days": "days without use after which a session ends",
    "session_max_days": "days after which a session ends in any case",
    "signup": "who may create an account: `invite`, `open` or `closed`",
    "guests": "whether plain-text clients may connect without an account",
}
"""The settings that a client can notice, and their meaning."""
_EVENT_NAMES = {event.__name__ for event in CLIENT_EVENTS}
RATES = {
    "SENDS": "sending, forwarding and editing messages, per user",
    "GUEST_SENDS": "messages of all guests of one network",
    "COMMANDS": "all other commands, per user",
    "ROOMS": "creating rooms, per user, in addition",
    "SEARCHES": "searches for messages, per user",
    "READS": "requests that only read, per user; a large answer counts once more for each 32 KiB",
    "HELLOS": "connections that log in, per user",
    "REFRESHES": "refreshed tokens, per user",
    "LOGINS_PER_ACCOUNT": "attempts to log in, per account and network (or browser that has logged in before)",
    "LOGINS_PER_ACCOUNT_IN_ALL": "attempts to log in, per account, from all networks that are new to it",
    "CONFIRMATIONS": "confirmations of the own password, per session",
    "LOGINS_PER_ADDRESS": "attempts to log in, or to use an invite or a reset link, per address",
    "SIGNUPS_PER_ADDRESS": "new accounts without an invite, per address",
}

LIMITS = {
    "MAX_BODY_CHARACTERS": "characters in a message",
    "MAX_BODY_BYTES": "bytes of UTF-8 in a message",
    "MAX_KEY": "characters in a key",
    "MAX_USER_NAME": "characters in a user's name",
    "MAX_MARKS": "combining marks on one letter of a name",
    "MAX_ROOM_NAME": "characters in a room's name",
    "MAX_TOPIC": "characters in a room's topic",
    "MAX_DESCRIPTION": "characters in a room's description",
    "MAX_REASON": "characters in the reason of a ban",
    "MAX_STATUS": "characters in a status",
    "MAX_SETTING": "characters of a value of a setting of the site",
    "MAX_DIRECT": "members of a direct room",
    "MAX_INVITED": "members added to a room when it is created",
    "MAX_ROOMS": "rooms that a user has joined or created, without direct rooms; and into which others put the user",
    "MAX_ADDED": "rooms into which a user can put the same other user; these do not count as rooms of that user",
    "MAX_DIRECT_MADE": "direct rooms created by a user",
    "MAX_DIRECT_WITH": "direct rooms created by a user with the same other user",
    "MAX_PINS": "pinned messages in a room, of those the user can see",
    "MAX_REACTIONS": "different emoji on a message",
    "MAX_OWN_REACTIONS": "different emoji of one user on a message",
    "MAX_MENTIONS": "names in a message that count as mentions",
    "MENTIONS_COUNTED": "unread mentions that are counted in a room",
    "LOUD_MEMBERS": "members of a room in which every member may use `@room` and `@here`",
    "MAX_WEBHOOK_NAME": "characters in a webhook's name",
    "MAX_WEBHOOK_URL": "characters in a webhook's URL",
    "MAX_ROOM_WEBHOOKS": "webhooks of a room",
    "MAX_SITE_WEBHOOKS": "webhooks of the site",
    "MAX_WEBHOOKS": "webhooks in all",
    "MAX_ATTEMPTS_KEPT": "attempts listed for a webhook",
    "MAX_WATCHED": "users whose presence a connection watches",
    "MAX_READ_ROOMS": "read positions moved by one command",
    "MAX_PAGE": "events or messages in a page",
    "MAX_HAVE": "topics in `have`",
    "MAX_DEPTH": "levels of nesting in JSON",
    "MAX_FRAGMENTS": "fragments of a WebSocket message",
    "MAX_KEPT": "frames a client may send before `welcome` arrives",
    "MAX_ID": "the highest id and seq",
}
"""What each limit counts, in the order of the page."""
NOT_LISTED = {
    "DEFAULT_PAGE": "no limit",
    "COMPOSED": "about normal forms of Unicode",
    "MAX_HERE": "no client notices it",
    "MAX_SEARCH": "docs/search.md",
    "MAX_FOUND": "docs/search.md",
    "MAX_PAGE_BYTES": "said of pages",
    "MAX_PATH": "of HTTP, not of the protocol",
    "MAX_QUERY": "of HTTP, not of the protocol",
}
"""Numbers of `domain.text` and `domain.names` that the page leaves out, and why."""


def page(words: Schema, examples: Examples) -> str:
    """Return the page. Raises KeyError for an unknown mark in the template, and for a command without an example."""
    commands = [asked for asked in ASKED if asked not in SIGNALS]
    marks = {
        "commands": _joined(_command(words, examples, asked) for asked in commands),
        "signals": _joined(_command(words, examples, asked) for asked in SIGNALS),
        "events": _joined(_event(words, examples, event) for event in CLIENT_EVENTS),
        "objects": _joined(_object(words, name) for name in _objects(words)),
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


def _command(words: Schema, examples: Examples, asked: type[BaseModel]) -> str:
    kind = words["$defs"][asked.__name__]["properties"]["type"]["const"]
    models = [_answer_of(words, model.__name__) for model in answers()[kind]]
    parts = [
        f"### {kind}",
        _first(asked.__doc__),
        _fields(words, asked.__name__, ("id", "type")),
        f"Answer: {'; or '.join(models)}.",
        exchange(examples.exchanges[kind]),
    ]
    return _joined(part for part in parts if part)


def _answer_of(words: Schema, name: str) -> str:
    """Return the fields of an `ok`, or a link to the object it is."""
    return f"[{name}](#{_anchor(name)})" if name in OBJECTS else _names(words, name) or "empty"


def _event(words: Schema, examples: Examples, event: type[Event]) -> str:
    example = examples.events.get(event.type)
    parts = [
        f"### {event.type}",
        f"{_first(event.__doc__)} Topic: {_topics(event)}.",
        _fields(words, event.__name__, ENVELOPE),
        block(f"← {frame(example)}") if example else "",
    ]
    return _joined(part for part in parts if part)


def _topics(event: type[Event]) -> str:
    if issubclass(event, PersonalEvent):
        return "`user:ID`"
    if issubclass(event, SiteRoomEvent):
        return "`room:ID`, and `site` for a public room"
    return "`room:ID`" if issubclass(event, RoomEvent) else "`site`"


def _objects(words: Schema) -> list[str]:
    """Return the names of `OBJECTS` and of all objects that fields of the page refer to."""
    found = list(OBJECTS)
    answered = [model for models in answers().values() for model in models]
    for name in (*OBJECTS, *(model.__name__ for model in (*ASKED, *answered, *CLIENT_EVENTS))):
        found += [other for other in _referred(words, words["$defs"][name].get("properties", {})) if other not in found]
    return found


def _referred(words: Schema, value: Any) -> list[str]:
    """Return the names of the objects that a schema refers to, directly or through other objects."""
    found = dict.fromkeys(re.findall(r'"#/\$defs/(\w+)"', json.dumps(value)))
    direct = [name for name in found if "properties" in words["$defs"][name] and name not in _EVENT_NAMES]
    return [other for name in direct for other in (name, *_referred(words, words["$defs"][name]["properties"]))]


def _object(words: Schema, name: str) -> str:
    doc = " ".join(words["$defs"][name].get("description", "").split())
    return _joined((f"### {name}", doc, _fields(words, name, ("type",))))


def _anchor(name: str) -> str:
    """Return the anchor of an object's heading. A second heading of the same letters gets `-1`."""
    anchor = name.lower()
    kinds = {str(model.model_fields["type"].default).replace(".", "") for model in ASKED}
    return f"{anchor}-1" if anchor in kinds else anchor


def _fields(words: Schema, name: str, known: Iterable[str]) -> str:
    """Return a table of the fields that are not in `known`; empty if there are none."""
    schema = words["$defs"][name]
    required = schema.get("required", ())
    rows = [
        (
            f"`{field}`{'' if field in required else '?'}",
            _type(words, inner),
            _meaning(name, field, inner),
        )
        for field, inner in schema["properties"].items()
        if field not in set(known)
    ]
    return _table(("Field", "Type", "Meaning"), rows) if rows else ""


def _meaning(name: str, field: str, schema: Mapping[str, Any]) -> str:
    known = MEANINGS.get(f"{name}.{field}", MEANINGS.get(field, ""))
    return " ".join(str(schema.get("description", known)).split())


def _type(words: Schema, schema: Mapping[str, Any]) -> str:
    """Return what a field may hold, in the words of JSON."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = words["$defs"][name]
        return f"[{name}](#{_anchor(name)})" if "properties" in target else _type(words, target)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices and choices[0].get("$ref", "").endswith(tuple(_EVENT_NAMES)):
        return "[event](#events)"
    if choices:
        return " or ".join(dict.fromkeys(_type(words, choice) for choice in choices))
    if schema.get("type") == "array":
        return f"array of {_type(words, schema['items'])}"
    return str(schema.get("type", "any"))


def _names(words: Schema, name: str) -> str:
    """Return the names of the fields, with the types of those that are objects."""
    schema = words["$defs"][name]
    required = schema.get("required", ())
    found = []
    for field, inner in schema.get("properties", {}).items():
        kind = _type(words, inner)
        found.append(f"`{field}`{'' if field in required else '?'}{f' ({kind})' if '](' in kind else ''}")
    return ", ".join(found)


def _errors() -> str:
    rows = (
        (f"`{error.code}`", str(STATUS[error.code]), "yes" if error.retryable else "no", error.sentence)
        for error in ERRORS
    )
    return _table(("Code", "HTTP", "Retry?", "Default message"), rows)


def _limits() -> str:
    """Return the table of limits. Raises KeyError for a limit that is neither described nor left out."""
    numbers = {
        name: value
        for module in (text, names)
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and type(value) is int
    }
    if new := numbers.keys() - LIMITS.keys() - NOT_LISTED.keys():
        raise KeyError(f"Describe {', '.join(sorted(new))} in LIMITS of {__name__}.")
    numbers |= {"MAX_FRAGMENTS": MAX_FRAGMENTS, "MAX_KEPT": MAX_KEPT}
    return _table(("At most", "Number"), ((meaning, f"{numbers[name]:,}") for name, meaning in LIMITS.items()))


def _rates() -> str:
    found = ((what, getattr(limits, name)) for name, what in RATES.items())
    rows = ((what, _rate(limit.rate), str(limit.burst)) for what, limit in found)
    return _table(("Requests", "Sustained rate", "Burst"), rows)


def _rate(rate: float) -> str:
    for unit, seconds in (("a second", 1), ("a minute", 60), ("an hour", 3600)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.3g} {unit}"
    raise ValueError(f"The rate {rate} per second is below one an hour.")


def _settings() -> str:
    rows = ((f"`{PREFIX}{name.upper()}`", _default(name), meaning) for name, meaning in NOTICED.items())
    return _table(("Setting", "Default", "Means"), rows)


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts)


def _first(doc: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((doc or "").strip().partition("\n\n")[0].split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
