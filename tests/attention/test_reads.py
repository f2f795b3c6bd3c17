"""Read positions: forward in groups, back by hand, many rooms at once.

They run on both databases.
"""

from hubbub.domain.commands import Command, DeleteMessage, ReadRoom, ReadRooms, RoomRead, UnreadRoom
from hubbub.domain.errors import BadRequest, NotFound
from hubbub.domain.events import ReadMoved
from hubbub.domain.model import Actor
from hubbub.storage import rooms
from hubbub.storage.reads import UNREAD_SORTED
from tests.attention.conftest import Table, new_room, seq


def moved(table: Table) -> list[tuple[int, int, int, int]]:
    """Return (user, read, unread, mentions) of every read position that moved so far."""
    found = [entry.event for entry in table.store.published if isinstance(entry.event, ReadMoved)]
    return [(event.person, event.read_seq, event.unread_count, event.mention_count) for event in found]


async def test_a_group_keeps_each_users_last_read_position_and_answers_every_command(table: Table) -> None:
    first, second, third = [await table.say(table.owner) for _ in range(3)]
    asked: list[tuple[Command, Actor]] = [
        (ReadRoom(room=table.room, seq=first), table.member),
        (ReadRoom(room=table.room, seq=third), table.member),
        (ReadRoom(room=table.room, seq=second), table.member),
        (ReadRoom(room=table.room, seq=first), table.stranger),
        (ReadRoom(room=table.room, seq=third + 1), table.owner),
    ]
    answers = table.run(asked)
    assert answers[0] == answers[1] != {}
    assert answers[2] == {}
    assert isinstance(answers[3], NotFound)
    assert isinstance(answers[4], BadRequest)
    assert moved(table) == [(table.member.id, third, 0, 0)]


async def test_unread_moves_the_position_back_before_the_message_and_never_forward(table: Table) -> None:
    first, second, _ = [await table.say(table.owner) for _ in range(3)]
    submit = table.store.journal.submit
    assert (await submit(UnreadRoom(room=table.room, message=first), table.member)).answer == {}
    await submit(UnreadRoom(room=table.room, message=second), table.owner)
    assert moved(table) == [(table.owner.id, second - 1, 0, 0)]  # one's own messages
    assert (await submit(UnreadRoom(room=table.room, message=second), table.owner)).answer == {}
    for command, who in ((UnreadRoom(room=table.room, message=second), table.stranger),
                         (UnreadRoom(room=table.room, message=1), table.owner)):  # fmt: skip
        try:
            await submit(command, who)
        except NotFound:
            continue
        raise AssertionError(command)


async def test_many_rooms_are_marked_as_read_at_once_and_rooms_of_others_are_skipped(table: Table) -> None:
    other = await new_room(table.store, table.owner, "Another", table.member)
    closed = await new_room(table.store, table.owner, "Closed")
    here, there, beyond = [await table.say(table.owner, room=room) for room in (table.room, other, closed)]
    rooms = ((table.room, here), (other, there), (closed, beyond))
    command = ReadRooms(rooms=tuple(RoomRead(room=room, seq=place) for room, place in rooms))
    answer = (await table.store.journal.submit(command, table.member)).answer
    assert moved(table) == [(table.member.id, here, 0, 0), (table.member.id, there, 0, 0)]
    assert seq(answer) == table.store.published[-1].seq
    assert (await table.store.journal.submit(command, table.member)).answer == {}


async def test_own_and_deleted_messages_do_not_count_as_unread(table: Table) -> None:
    """They count neither when a position moves back, nor when a message is deleted that is unread."""
    submit = table.store.journal.submit
    written = [await table.say(who) for who in (table.owner, table.member, table.owner, table.owner)]
    await submit(DeleteMessage(room=table.room, message=written[2]), table.owner)
    await submit(ReadRoom(room=table.room, seq=written[3]), table.member)
    await submit(UnreadRoom(room=table.room, message=written[0]), table.member)
    assert moved(table)[-1] == (table.member.id, written[0] - 1, 2, 0), "two of the owner, one of them deleted since"
    assert unread(table) == 2
    await submit(DeleteMessage(room=table.room, message=written[3]), table.owner)
    assert unread(table) == 1
    await submit(DeleteMessage(room=table.room, message=written[1]), table.member)
    assert unread(table) == 1, "one's own message never counted"
    await submit(DeleteMessage(room=table.room, message=written[0]), table.owner)
    assert unread(table) == 0
    await table.say(table.owner)
    assert unread(table) == 1


async def test_a_position_far_back_looks_at_a_bounded_number_of_messages(table: Table) -> None:
    """All messages beyond those count, deleted or not: the count is never too small."""
    first = await table.say(table.owner)
    for _ in range(UNREAD_SORTED):
        last = await table.say(table.owner)
    await table.store.journal.submit(DeleteMessage(room=table.room, message=last), table.owner)
    await table.store.journal.submit(ReadRoom(room=table.room, seq=last), table.member)
    await table.store.journal.submit(UnreadRoom(room=table.room, message=first), table.member)
    assert unread(table) == UNREAD_SORTED + 1
    await table.store.journal.submit(ReadRoom(room=table.room, seq=first), table.member)
    assert unread(table) == UNREAD_SORTED - 1


def unread(table: Table) -> int | None:
    """Return what `welcome` would tell the member."""
    with table.store.elsewhere() as connection:
        (room,) = [room for room in rooms.joined(connection, table.member.id) if room.id == table.room]
    return room.unread_count
