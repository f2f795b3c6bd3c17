"""Turns the example of a request into one that a world with real users can send.

A world brings its users (`Cast`) and a way to send a request. The steps are those that create the
room of the example, and the command that must be executed before.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

from hubbub.domain.commands.examples import Example, Fields, Scene, fill, placeholders
from tests.support.routes import WEBHOOK, example_of, template_of

Who = Literal["actor", "member"]
OF_A_ROOM = {"room", "message", "seq", "invite", "token", "webhook"}
OF_AN_INVITE = {"invite", "token"}


@dataclass(frozen=True)
class Cast:
    """The ids of a world's users. The actor sends the example."""

    actor: int
    member: int
    outsider: int
    name: str
    """The name of the member."""
    new: Callable[[], str]
    """Returns a suffix that differs each time: ASCII letters, digits and hyphens."""


@dataclass(frozen=True)
class Step:
    """A request that must succeed: a wire name or an operation, and its fields."""

    by: Who
    request: str
    fields: Fields


Steps = Generator[Step, Any, Fields]
"""Yields steps, takes the answers to them, and returns the fields of the example."""


def steps(request: str, cast: Cast) -> Steps:
    """Prepare the example of a wire name or an operation."""
    example = example_of(request)
    given: Fields = {"member": cast.member, "outsider": cast.outsider, "name": cast.name}
    fields = template_of(request)
    before = _before(example)
    needed = {*placeholders([fields, *map(template_of, before)])}
    if needed & OF_A_ROOM:
        given |= yield from _room(example.scene, cast)
    if needed & OF_AN_INVITE:
        owner: Who = "actor" if example.scene is Scene.OWN else "member"
        made = yield Step(owner, "create_invite", {"room": given["room"]})
        given |= {"invite": made["id"], "token": made["token"]}
    if "webhook" in needed:
        made = yield Step("actor", "create_webhook", {"room": given["room"], **WEBHOOK})
        given |= {"webhook": made["id"]}
    for kind in before:
        yield Step("actor", kind, fill(template_of(kind), {**given, "new": cast.new()}))
    found: Fields = fill(fields, {**given, "new": cast.new()})
    return found


def _before(example: Example) -> list[str]:
    """Return the commands that go before, the first one first."""
    if example.after is None:
        return []
    kind = str(example.after.model_fields["type"].default)
    return [*_before(example_of(kind)), kind]


def _room(scene: Scene, cast: Cast) -> Steps:
    """Create the room, with a message of its owner and a later one of another member."""
    owner: Who = "actor" if scene is Scene.OWN else "member"
    other: Who = "member" if scene is Scene.OWN else "actor"
    members = [] if scene is Scene.OPEN else [cast.member if other == "member" else cast.actor]
    kind = "public" if scene is Scene.OPEN else "private"
    made = yield Step(owner, "room.create", {"kind": kind, "name": f"Room{cast.new()}", "members": members})
    room = made["room"]["id"]
    seqs = []
    for by in (owner, other if members else owner):
        sent = yield Step(by, "message.send", {"room": room, "key": f"key{cast.new()}", "body": "said"})
        seqs.append(sent["seq"])
    return {"room": room, "message": seqs[0], "seq": seqs[1]}


async def prepare(request: str, cast: Cast, send: Callable[[Step], Awaitable[Any]]) -> Fields:
    """Execute the steps with `send`. Return the fields of the example."""
    found = steps(request, cast)
    answer = None
    while True:
        try:
            step = found.send(answer)
        except StopIteration as end:
            fields: Fields = end.value
            return fields
        answer = await send(step)


def prepare_now(request: str, cast: Cast, send: Callable[[Step], Any]) -> Fields:
    """Do the same in a world without an event loop."""
    found = steps(request, cast)
    answer = None
    while True:
        try:
            step = found.send(answer)
        except StopIteration as end:
            fields: Fields = end.value
            return fields
        answer = send(step)
