"""Example frames of the reference page: the recorded example of each command, and a few that no fixture has."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.contract.words import SIGNALS
from tests.fixtures.cases.examples import TITLE

from hubbub.domain.commands import Signal
from hubbub.domain.commands.examples import shown

WIDTH = 110
"""Longer frames are wrapped."""
UNRECORDED: dict[str, dict[str, Any]] = {"presence.watch": {"presences": [{"user": 2, "status": "away"}]}}
"""By signal: its answer, if it is not empty. Signals are not stored, so no fixture records them."""


class Exchange(NamedTuple):
    """A request without its `id`, and the `ok` that answers it."""

    request: dict[str, Any]
    answer: dict[str, Any]


class Examples(NamedTuple):
    """Frames by their `type`."""

    exchanges: Mapping[str, Exchange]
    events: Mapping[str, dict[str, Any]]


def collect(fixtures: Mapping[str, str]) -> Examples:
    """Return the example of each command, and of each type the event with the most fields.

    `fixtures` has the texts of the fixtures by path.
    """
    exchanges = {exchange.request["type"]: exchange for exchange in map(_signal, SIGNALS)}
    events: dict[str, dict[str, Any]] = {}
    for case in (case for text in fixtures.values() for case in json.loads(text)["cases"]):
        for asked in case["asked"]:
            found = Exchange({"type": asked["command"]["type"], **asked["command"]}, asked["answer"])
            if case["case"] == TITLE:
                exchanges[found.request["type"]] = found
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


def _signal(signal: type[Signal]) -> Exchange:
    assert signal.example is not None, f"{signal.__name__} has no example"
    kind = str(signal.model_fields["type"].default)
    return Exchange({"type": kind, **shown(signal, signal.example)}, UNRECORDED.get(kind, {}))


def _events_since(events: Mapping[str, dict[str, Any]]) -> Exchange:
    """A request for the events after the one before a recorded event."""
    event = events["message.pinned"]
    request = {"type": "events.since", "topic": event["topic"], "after": event["seq"] - 1, "epoch": "b2f1"}
    return Exchange(request, {"epoch": "b2f1", "events": [event], "head": event["seq"], "more": False})
