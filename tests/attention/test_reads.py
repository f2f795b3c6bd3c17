"""Read positions: forward in groups, back by hand, many rooms at once.

They run on both databases.
"""

from hubbub.domain.commands import Command, ReadRoom, ReadRooms, RoomRead, UnreadRoom
from hubbub.domain.errors import BadRequest, NotFound
from hubbub.domain.events import ReadMoved
from hubbub.domain.model import Actor
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
    assert moved(table) == [(table.owner.id, second - 1, 2, 0)]
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
