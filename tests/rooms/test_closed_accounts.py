"""A closed account gets the same error from every command, alone or in a group."""

from hubbub.domain.commands import Command, CreateRoom, SendMessage, SetDisabled
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import SYSTEM
from hubbub.features.shared.guard import CLOSED
from tests.rooms.conftest import World
from tests.support.routes import WIRE

VALUES: dict[str, object] = {
    "message": 5, "seq": 1, "key": "k", "body": "hello", "emoji": "👍", "role": "member", "name": "Another name",
}  # fmt: skip


def filled(kind: type[Command], room: int, user: int) -> Command:
    """Return a command of this kind about a message in the room."""
    values = VALUES | {"room": room, "from_room": room, "user": user, "rooms": ({"room": room, "seq": 1},)}
    return kind.model_validate({name: value for name, value in values.items() if name in kind.model_fields})


async def test_a_closed_account_gets_the_same_error_from_every_command(world: World) -> None:
    room = await world.room(CreateRoom(name="A room", members=(world.bob.id,)))
    await world.do(SendMessage(room=room, key="first", body="hello"), world.bob)
    await world.do(SetDisabled(user=world.bob.id, disabled=True), SYSTEM)
    for kind in WIRE:
        command = filled(kind, room, world.alice.id)
        for result in await world.store.together([(command, world.bob), (command, world.bob)]):
            assert isinstance(result, Forbidden), f"{kind.kind}: {result}"
            assert result.message == CLOSED, kind.kind
