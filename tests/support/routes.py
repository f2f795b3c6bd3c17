"""Every request that clients may send, by wire name or OpenAPI operation, and its example.

Commands, signals and queries of the wire declare their examples. The other routes have theirs here.
"""

from typing import Any, get_args
from urllib.parse import quote, urlencode

from hubbub.domain.commands import (
    AddReaction,
    AnySignal,
    AnyStaffCommand,
    AnyWireCommand,
    BanMember,
    Command,
    EditMessage,
    EventsSince,
    PinMessage,
)
from hubbub.domain.commands.examples import Example, Fields, Given, Scene, template
from hubbub.gateways.http.commands import operation_id
from tests.generated.contract import operations, read
from tests.support.server import PASSWORD

WIRE: tuple[type[Command], ...] = get_args(AnyWireCommand)
ASKED: dict[str, Any] = {
    str(model.model_fields["type"].default): model for model in (*WIRE, *get_args(AnySignal), EventsSince)
}
"""The models of commands, signals and queries by their wire name."""
ROUTES: dict[str, tuple[str, str]] = {command.kind: command.rest for command in WIRE if command.rest is not None}
"""The REST route of each wire command."""
SINCE = ("GET", "/api/topics/{topic}/events")
"""The REST route of `events.since`."""
BY_ROUTE = {route: kind for kind, route in {**ROUTES, "events.since": SINCE}.items()}

OF_STAFF: dict[str, Example] = {
    operation_id(command): command.example for command in get_args(AnyStaffCommand) if command.example is not None
} | {
    "list_followers": Example(),
    "list_dead_letters": Example({"follower": "search"}),
    "list_settings": Example(),
}
"""Routes for staff alone: the members that tests let send examples are refused."""
WEBHOOK: Fields = {
    "name": "Tracker",
    "url": "https://receiver.example/hook",
    "events": ("message.sent", "message.deleted"),
}
DEAD_LETTER = {"webhook": "{webhook}", "room": Given.ROOM, "seq": Given.SEQ}
ABSENT: dict[str, Example] = {
    **OF_STAFF,
    "retry_webhook_dead_letter": Example(DEAD_LETTER),
    "drop_webhook_dead_letter": Example(DEAD_LETTER),
    "log_in": Example({"username": "nobody", "password": PASSWORD}),
    "create_token": Example({"username": "nobody", "password": PASSWORD}),
    "refresh_token": Example({"refresh_token": "none"}),
    "reset_password": Example({"token": "none", "password": PASSWORD}),
    "change_password": Example({"current_password": "a wrong one", "new_password": PASSWORD}),
    "delete_current_user": Example({"password": "a wrong one"}),
    "end_session": Example({"session": "none"}),
}
"""Examples with a wrong password, a missing object or a missing right, which are refused."""
EXAMPLES: dict[str, Example] = {
    **ABSENT,
    "create_user": Example({"username": "dora{new}", "password": PASSWORD}, again="conflict"),
    "create_invite": Example({"room": Given.ROOM, "max_uses": 3, "expires_in": 3_600}),
    "list_invites": Example({"room": Given.ROOM}),
    "revoke_invite": Example({"invite": "{invite}"}, again="not_found"),
    "check_invite": Example({"token": "{token}"}, scene=Scene.OPEN),
    "accept_invite": Example({"token": "{token}"}, scene=Scene.OPEN),
    "create_webhook": Example({"room": Given.ROOM, **WEBHOOK}),
    "list_webhooks": Example({"room": Given.ROOM}),
    "show_webhook": Example({"webhook": "{webhook}"}),
    "update_webhook": Example({"webhook": "{webhook}", "name": "Builds", "paused": False}),
    "rotate_webhook_secret": Example({"webhook": "{webhook}"}),
    "test_webhook": Example({"webhook": "{webhook}"}),
    "replay_webhook": Example({"webhook": "{webhook}", "room": Given.ROOM, "seq": Given.SEQ}),
    "list_webhook_deliveries": Example({"webhook": "{webhook}"}),
    "list_webhook_dead_letters": Example({"webhook": "{webhook}"}),
    "retry_webhook_dead_letters": Example({"webhook": "{webhook}"}),
    "delete_webhook": Example({"webhook": "{webhook}"}, again="not_found"),
    "list_bans": Example(after=BanMember),
    "list_edits": Example(after=EditMessage),
    "list_pins": Example(after=PinMessage),
    "list_reactions": Example(after=AddReaction),
    "search_messages": Example({"q": "hello from:me"}),
    "show_user": Example({"user": Given.OUTSIDER}),
    "show_presence": Example({"user": (Given.MEMBER,)}),
}
"""Examples of routes that are no command. Without an entry, the usual ids in the path are enough."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PATH = {"room": Given.ROOM, "message": Given.MESSAGE, "user": Given.MEMBER}


def example_of(request: str) -> Example:
    """Return the example of a wire name or an operation."""
    kind = request if request in ASKED else BY_ROUTE.get(operations()[request], "")
    if not kind:
        return EXAMPLES.get(request, Example())
    example = ASKED[kind].example
    assert example is not None, f"{kind} has no example"
    found: Example = example
    return found


def template_of(request: str) -> Fields:
    """Return the fields of the example, with placeholders. REST has them in path, query and body."""
    kind = request if request in ASKED else BY_ROUTE.get(operations()[request], "")
    if kind:
        return template(ASKED[kind], example_of(request))
    _, path = operations()[request]
    usual = {name: value for name, value in PATH.items() if f"{{{name}}}" in path}
    return {**usual, **example_of(request).fields}


def operation_of(request: str) -> str | None:
    """Return the operation of a wire name or an operation. None if only the wire has the request."""
    routes = {route: name for name, route in operations().items()}
    kinds = {kind: route for route, kind in BY_ROUTE.items()}
    return routes[kinds[request]] if request in kinds else request if request in operations() else None


def parameters_of(operation: str) -> set[str]:
    """Return the names of an operation's parameters in path and query, as documented."""
    return {each["name"] for each in _documented(operation).get("parameters", ())}


def body_of(operation: str) -> set[str]:
    """Return the names of the fields of an operation's JSON body, as documented."""
    content = _documented(operation).get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
    schema = read("openapi.json")["components"]["schemas"].get(content.get("$ref", "").rpartition("/")[2], content)
    return set(schema.get("properties", ()))


def _documented(operation: str) -> dict[str, Any]:
    method, path = operations()[operation]
    found: dict[str, Any] = read("openapi.json")["paths"][path][method.lower()]
    return found


def request_of(operation: str, fields: Fields) -> tuple[str, str, Fields | None, str]:
    """Return method, address, body and type of the body. The document says where the fields belong."""
    method, path = operations()[operation]
    content = _documented(operation).get("requestBody", {}).get("content", {})
    rest = {name: value for name, value in fields.items() if f"{{{name}}}" not in path}
    address = path.format(**{name: quote(str(value), safe="") for name, value in fields.items() if name not in rest})
    if content:
        return method, address, rest, JSON if JSON in content else FORM
    return method, f"{address}?{urlencode(rest, doseq=True)}" if rest else address, None, JSON
