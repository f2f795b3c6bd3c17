"""Example frames of the reference page: what the fixtures recorded, and a few that no fixture has."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

WIDTH = 110
"""Longer frames are wrapped."""
UNRECORDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "typing": ({"room": 1}, {}),
    "presence.idle": ({"idle": True}, {}),
    "presence.watch": (
        {"users": [7, 9]},
        {"presences": [{"user": 7, "status": "online"}, {"user": 9, "status": "away"}]},
    ),
}
"""By signal: the fields of a request and its answer. Signals are not stored, so no fixture records them."""


class Exchange(NamedTuple):
    """A request without its `id`, and the `ok` that answers it."""

    request: dict[str, Any]
    answer: dict[str, Any]


class Examples(NamedTuple):
    """Frames by their `type`."""

    exchanges: Mapping[str, Exchange]
    events: Mapping[str, dict[str, Any]]


def collect(fixtures: Mapping[str, str]) -> Examples:
    """Return an exchange of each command and an event of each type, those with the most fields.

    `fixtures` has the texts of the fixtures by path.
    """
    exchanges = {kind: Exchange({"type": kind, **fields}, ok) for kind, (fields, ok) in UNRECORDED.items()}
    events: dict[str, dict[str, Any]] = {}
    for case in (case for text in fixtures.values() for case in json.loads(text)["cases"]):
        for asked in case["asked"]:
            found = Exchange({"type": asked["command"]["type"], **asked["command"]}, asked["answer"])
            kind = found.request["type"]
            if found.answer and (kind not in exchanges or len(found.request) > len(exchanges[kind].request)):
                exchanges[kind] = found
        for event in case["events"]:
            if len(event) > len(events.get(event["type"], ())):
                events[event["type"]] = event
    return Examples({**exchanges, "events.since": _events_since(events)}, events)


def exchange(example: Exchange) -> str:
    """Return a code block with a request and its answer."""
    request = {"id": 1, **example.request}
    return block(f"→ {frame(request)}", f"← {frame({'re': 1, 'ok': example.answer})}")


def block(*lines: str) -> str:
    return "\n".join(("```text", *lines, "```"))


def frame(value: dict[str, Any]) -> str:
    """Return a frame as it is on the wire, wrapped between fields if it is long."""
    first, *fields = re.split(r',(?="[^"\\]+":)', _compact(value))
    lines = [first]
    for field in fields:
        if len(lines[-1]) + len(field) < WIDTH:
            lines[-1] += f",{field}"
        else:
            lines[-1] += ","
            lines.append(f"   {field}")
    return "\n".join(lines)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _events_since(events: Mapping[str, dict[str, Any]]) -> Exchange:
    """A request for the events after the one before a recorded event."""
    event = events["message.pinned"]
    request = {"type": "events.since", "topic": event["topic"], "after": event["seq"] - 1, "epoch": "b2f1"}
    return Exchange(request, {"epoch": "b2f1", "events": [event], "head": event["seq"], "more": False})
