"""AsyncAPI 3.0 of the WebSocket: one channel, and an operation for each request of the client."""

import json
from typing import Any, get_args

from pydantic import BaseModel
from scripts.contract.words import ASKED, NUMBERED, TITLE, Request, Schema, answers, ref

from hubbub.domain.commands.examples import shown
from hubbub.domain.events import CLIENT_EVENTS
from hubbub.protocol import schemas

CHANNEL = "hubbub"
HERE = f"#/channels/{CHANNEL}"
DESCRIPTION = """\
Real-time chat over WebSocket, JSON text, subprotocol `hubbub.v1` (optional). The client sends `hello` first, within
five seconds. Each later request has an `id`, which the answer repeats as `re`. The server sends events as they happen,
in the order of their topic's log. docs/protocol.md describes the rules.\
"""
STREAM = "events"
STREAMED = """\
The answer to a GET with `Accept: text/event-stream`. `id` is the position, `EPOCH:SEQ`; `event` is the type, `data` the
event. `Last-Event-ID`, or else `after` and `epoch` in the query, say where the stream begins.\
"""
STREAMED_MESSAGES = [*(event.__name__ for event in CLIENT_EVENTS), schemas.Reset.__name__]
FROM_SERVER: tuple[type[BaseModel], ...] = (
    schemas.Welcome, schemas.More, schemas.Reset, schemas.Pong, schemas.UserTyping, schemas.PresenceChanged,
    schemas.CommandRefused,
)  # fmt: skip


def document(words: Schema) -> Schema:
    """Return the AsyncAPI document of the definitions `words`, from the server's side: it receives requests."""
    messages = _messages()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": "1", "description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "servers": {
            "here": {"host": "localhost:8000", "protocol": "ws", "description": "`hubbub serve` with its defaults."},
            "http": {"host": "localhost:8000", "protocol": "http", "description": "The same server."},
        },
        "channels": {
            CHANNEL: {
                "address": "/ws",
                "servers": [{"$ref": "#/servers/here"}],
                "title": "The socket",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            },
            STREAM: {
                "address": "/api/topics/{topic}/events",
                "servers": [{"$ref": "#/servers/http"}],
                "title": "A topic as server-sent events",
                "description": STREAMED,
                "parameters": {"topic": {"description": "`room:ID`, `user:ID` or `site`.", "examples": ["room:1"]}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in STREAMED_MESSAGES},
            },
        },
        "operations": _operations(),
        "components": {"messages": messages, "schemas": _moved(words["$defs"])},
    }


def _messages() -> Schema:
    models: list[type[BaseModel]] = [schemas.Hello, schemas.Ping, *ASKED, *CLIENT_EVENTS, *FROM_SERVER]
    found = {model.__name__: _message(model.__name__, model.__doc__ or "") for model in models}
    for model in NUMBERED:
        found[model.__name__]["correlationId"] = {"location": "$message.payload#/id"}
    for model in ASKED:
        found[model.__name__]["examples"] = [{"payload": _example(model)}]
    for asked in NUMBERED:
        name, kind = _answer(asked), _kind(asked)
        choices = [ref(model.__name__) for model in answers()[kind]]
        ok = choices[0] if len(choices) == 1 else {"anyOf": choices}
        payload = {"type": "object", "required": ["re", "ok"], "properties": {"re": {"type": "integer"}, "ok": ok}}
        found[name] = {**_message(name, f"The answer to `{kind}`."), "payload": _moved(payload)}
        found[name]["correlationId"] = {"location": "$message.payload#/re"}
    found[schemas.CommandRefused.__name__]["correlationId"] = {"location": "$message.payload#/re"}
    return dict(sorted(found.items()))


def _message(name: str, doc: str) -> Schema:
    summary = doc.strip().partition("\n")[0]
    return {"name": name, "summary": summary, "payload": {"$ref": f"#/components/schemas/{name}"}}


def _example(model: type[Request]) -> Schema:
    assert model.example is not None, f"{model.__name__} has no example"
    return {"id": 1, "type": _kind(model), **shown(model, model.example)}


def _operations() -> Schema:
    found = {
        "hello": _receive(schemas.Hello, schemas.Welcome.__name__),
        "ping": _receive(schemas.Ping, schemas.Pong.__name__, _answer(schemas.Ping)),
    }
    for model in ASKED:
        found[_kind(model)] = _receive(model, _answer(model))
    sent: list[type[BaseModel]] = [
        *CLIENT_EVENTS,
        schemas.More,
        schemas.Reset,
        schemas.UserTyping,
        schemas.PresenceChanged,
    ]
    found["follow"] = {
        "action": "send",
        "channel": {"$ref": HERE},
        "summary": "Events of the user's topics, signals, and what to load where events are missing.",
        "messages": [_at(model.__name__) for model in sent],
    }
    found["stream"] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{STREAM}"},
        "summary": "Events of one topic from a position on, and what to load where events are missing.",
        "messages": [{"$ref": f"#/channels/{STREAM}/messages/{name}"} for name in STREAMED_MESSAGES],
        "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}},
    }
    return found


def _receive(model: type[BaseModel], *answers: str) -> Schema:
    return {
        "action": "receive",
        "channel": {"$ref": HERE},
        "summary": (model.__doc__ or "").strip().partition("\n")[0],
        "messages": [_at(model.__name__)],
        "reply": {
            "channel": {"$ref": HERE},
            "messages": [_at(name) for name in (*answers, schemas.CommandRefused.__name__)],
        },
    }


def _kind(model: type[BaseModel]) -> str:
    """Return the wire name of a request."""
    (kind,) = get_args(model.model_fields["type"].annotation)
    return str(kind)


def _answer(model: type[BaseModel]) -> str:
    return f"{model.__name__}Ok"


def _at(message: str) -> Schema:
    return {"$ref": f"{HERE}/messages/{message}"}


def _moved(value: Any) -> Any:
    """Return the value with its references changed to the place of schemas in AsyncAPI."""
    return json.loads(json.dumps(value).replace('"#/$defs/', '"#/components/schemas/'))
