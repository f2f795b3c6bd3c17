"""Nobody is kept from rooms by others: how many direct rooms one person makes, on each engine."""

import pytest
from sqlalchemy import text

from hubbub.domain.commands import CreateRoom, InviteMember, JoinRoom
from hubbub.domain.errors import Conflict
from hubbub.domain.model import Actor
from hubbub.domain.text import MAX_DIRECT_MADE, MAX_DIRECT_WITH
from tests.rooms.conftest import Hall


def put(hall: Hall, count: int, maker: Actor, *others: Actor, first: int = 10**12) -> None:
    """So many direct rooms into the store, where it is quick."""
    rooms = [{"id": first + number, "user": maker.id} for number in range(count)]
    places = [{"room": room["id"], "user": person.id} for room in rooms for person in (maker, *others)]
    made = "INSERT INTO rooms (id, kind, name, created_by, created_at, members) VALUES (:id, 'direct', '', :user, 0, 2)"
    been = """INSERT INTO members (room, "user", role, joined_seq, joined_at, read_seq, read_n)
        VALUES (:room, :user, 'member', 1, 0, 1, 0)"""
    with hall.desk.elsewhere() as store:
        store.execute(text(made), rooms)
        store.execute(text(been), places)


async def test_whom_others_have_put_into_all_direct_rooms_they_can_make_still_makes_and_joins_others(
    hall: Hall,
) -> None:
    put(hall, MAX_DIRECT_MADE, hall.alice, hall.bob)
    public = await hall.room(CreateRoom(name="Carol's"), hall.carol)
    private = await hall.room(CreateRoom(kind="private", name="Carol's"), hall.carol)
    await hall.do(JoinRoom(room=public), hall.bob)
    await hall.do(InviteMember(room=private, user=hall.bob.id), hall.carol)
    await hall.room(CreateRoom(name="Bob's", members=(hall.carol.id,)), hall.bob)
    await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,)), hall.carol)
    await hall.room(CreateRoom(kind="direct", members=(hall.alice.id,)), hall.bob)
    with pytest.raises(Conflict, match="You have created 1,000 direct rooms"):
        await hall.do(CreateRoom(kind="direct", members=(hall.carol.id,)))
    await hall.room(CreateRoom(name="Alice's"))


async def test_one_person_makes_only_so_many_direct_rooms_with_the_same_other_one(hall: Hall) -> None:
    put(hall, MAX_DIRECT_WITH - 1, hall.alice, hall.bob)
    between = CreateRoom(kind="direct", members=(hall.bob.id, hall.carol.id))
    room = await hall.room(between)
    more = CreateRoom(kind="direct", members=(hall.owner.id, hall.bob.id))
    with pytest.raises(Conflict, match="You have created 100 direct rooms with one of these people"):
        await hall.do(more)
    assert await hall.room(between) == room, "what is there is found as before"
    await hall.room(CreateRoom(kind="direct", members=(hall.owner.id, hall.carol.id)))
    await hall.room(CreateRoom(kind="direct", members=(hall.owner.id, hall.alice.id)), hall.bob)
    assert await hall.room(more, hall.carol), "nobody else's doing"


async def test_rooms_one_has_made_alone_are_bounded_too(hall: Hall) -> None:
    put(hall, MAX_DIRECT_MADE - 1, hall.alice)
    await hall.room(CreateRoom(kind="direct"))
    with pytest.raises(Conflict, match="1,000"):
        await hall.do(CreateRoom(kind="direct", members=(hall.bob.id,)))
