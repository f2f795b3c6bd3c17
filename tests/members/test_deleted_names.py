"""The name of a deleted account: replaced in pages at once, and in events once they are trimmed."""

from hubbub.domain.commands import (
    AddReaction,
    CreateRoom,
    DeleteAccount,
    InviteMember,
    LeaveRoom,
    MessagePage,
    PinMessage,
    SendMessage,
    TrimTopic,
)
from hubbub.domain.model import SYSTEM, Room
from hubbub.domain.names import NEUTRAL
from hubbub.features import messages
from tests.rooms.conftest import Hall


def named(hall: Hall, name: str) -> set[object]:
    """Return the topics whose logs contain the name."""
    return {topic for (topic,) in hall.desk.rows(f"SELECT DISTINCT topic FROM log WHERE text LIKE '%{name}%'")}


async def test_no_log_contains_the_name_of_a_deleted_account_after_trimming(hall: Hall) -> None:
    gone = await hall.desk.person("philomena")
    room = await hall.room(CreateRoom(kind="private", name="A room", members=(gone.id, hall.bob.id)))
    left = await hall.room(CreateRoom(name="Another", members=(gone.id,)))
    await hall.do(CreateRoom(kind="direct", members=(gone.id,)))
    said = await hall.do(SendMessage(room=room, key="k", body="hello"), gone)
    seq = int(str(said["seq"]))
    await hall.do(AddReaction(room=room, message=seq, emoji="👍"), gone)
    await hall.do(PinMessage(room=room, message=seq))
    await hall.do(InviteMember(room=room, user=hall.carol.id), gone)
    await hall.do(LeaveRoom(room=left), gone)
    await hall.do(DeleteAccount(user=gone.id), SYSTEM)
    page = hall.desk.database.read(messages.page, hall.bob.id, MessagePage(room=room))["messages"]
    assert isinstance(page, list)
    assert [message["name"] for message in page] == [f"{NEUTRAL}{gone.id}"]
    people = [room.people for room in hall.sees(hall.alice).values() if isinstance(room, Room) and room.people]
    assert {person.name for each in people for person in each} == {"alice", f"{NEUTRAL}{gone.id}"}
    assert {f"room:{room}", f"room:{left}"} <= named(hall, "philomena"), "control: events contain the name"
    for (topic,) in hall.desk.rows("SELECT topic FROM topics"):
        await hall.do(TrimTopic(topic=str(topic), before=2**52), SYSTEM)
    assert named(hall, "philomena") == set()
