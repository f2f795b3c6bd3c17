"""Every request a client may send: those of the wire, and the routes of REST that are none of them.

The requests of the wire bring their own examples. The other routes have theirs here.
"""

from typing import Any, get_args

from hubbub.domain.commands import (
    AddReaction,
    AnySignal,
    AnyWireCommand,
    BanMember,
    Command,
    EditMessage,
    EventsSince,
    PinMessage,
)
from hubbub.domain.commands.examples import Example, Fields, Given, Scene, template
from tests.generated.contract import operations
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

ABSENT: dict[str, Example] = {
    "log_in": Example({"username": "nobody", "password": PASSWORD}),
    "create_token": Example({"username": "nobody", "password": PASSWORD}),
    "refresh_token": Example({"refresh_token": "none"}),
    "reset_password": Example({"token": "none", "password": PASSWORD}),
    "change_password": Example({"current_password": "a wrong one", "new_password": PASSWORD}),
    "delete_account": Example({"password": "a wrong one"}),
    "end_session": Example({"session": "none"}),
}
"""Routes that end sessions or accounts, with a wrong password or a missing object: they are refused."""
EXAMPLES: dict[str, Example] = {
    **ABSENT,
    "create_account": Example({"username": "dora{new}", "password": PASSWORD}),
    "create_invite": Example({"room": Given.ROOM, "max_uses": 3, "expires_in": 3_600}),
    "list_invites": Example({"room": Given.ROOM}),
    "revoke_invite": Example({"invite": "{invite}"}),
    "check_invite": Example({"token": "{token}"}, scene=Scene.OPEN),
    "accept_invite": Example({"token": "{token}"}, scene=Scene.OPEN),
    "list_bans": Example(after=BanMember),
    "list_edits": Example(after=EditMessage),
    "list_pins": Example(after=PinMessage),
    "list_reactions": Example(after=AddReaction),
    "show_user": Example({"user": Given.OUTSIDER}),
    "show_presence": Example({"user": (Given.MEMBER,)}),
}
"""Routes that are no command, by operation. Those that need their path's usual parameters only are left out."""
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
