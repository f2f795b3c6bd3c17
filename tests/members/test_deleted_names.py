"""The name of a deleted account in pages, and in events until trimming."""

from hubbub.domain.commands import (
    AddMember,
    AddReaction,
    CreateRoom,
    DeleteAccount,
    LeaveRoom,
    MessagePage,
    PinMessage,
    SendMessage,
    TrimTopic,
)
from hubbub.domain.model import SYSTEM, Room
from hubbub.domain.names import NEUTRAL
from hubbub.features import messages
from tests.rooms.conftest import World


def named(world: World, name: str) -> set[object]:
    """Return the topics whose logs contain the name."""
    return {topic for (topic,) in world.store.rows(f"SELECT DISTINCT topic FROM log WHERE text LIKE '%{name}%'")}


async def test_no_log_contains_the_name_of_a_deleted_account_after_trimming(world: World) -> None:
    gone = await world.store.person("philomena")
    room = await world.room(CreateRoom(kind="private", name="A room", members=(gone.id, world.bob.id)))
    left = await world.room(CreateRoom(name="Another", members=(gone.id,)))
    await world.do(CreateRoom(kind="direct", members=(gone.id,)))
    said = await world.do(SendMessage(room=room, key="k", body="hello"), gone)
    seq = int(str(said["seq"]))
    await world.do(AddReaction(room=room, message=seq, emoji="👍"), gone)
    await world.do(PinMessage(room=room, message=seq))
    await world.do(AddMember(room=room, user=world.carol.id), gone)
    await world.do(LeaveRoom(room=left), gone)
    await world.do(DeleteAccount(user=gone.id), SYSTEM)
    page = world.store.database.read(messages.page, world.bob.id, MessagePage(room=room))["messages"]
    assert isinstance(page, list)
    assert [message["name"] for message in page] == [f"{NEUTRAL}{gone.id}"]
    people = [room.members for room in world.sees(world.alice).values() if isinstance(room, Room) and room.members]
    assert {person.name for each in people for person in each} == {"alice", f"{NEUTRAL}{gone.id}"}
    assert {f"room:{room}", f"room:{left}"} <= named(world, "philomena"), "control: events contain the name"
    for (topic,) in world.store.rows("SELECT topic FROM topics"):
        await world.do(TrimTopic(topic=str(topic), before=2**52), SYSTEM)
    assert named(world, "philomena") == set()
