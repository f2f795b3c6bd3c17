"""Limits on direct rooms count creators.

Other users cannot use up a user's limit.
"""

import pytest
from sqlalchemy import text

from hubbub.domain.commands import AddMember, CreateRoom, JoinRoom
from hubbub.domain.errors import Conflict
from hubbub.domain.model import Actor
from hubbub.domain.text import MAX_DIRECT_MADE, MAX_DIRECT_WITH
from tests.rooms.conftest import World


def put(world: World, count: int, maker: Actor, *others: Actor, first: int = 10**12) -> None:
    """Insert direct rooms into the database directly, which is fast."""
    rooms = [{"id": first + number, "user": maker.id, "key": f"{first + number}"} for number in range(count)]
    places = [{"room": room["id"], "user": person.id} for room in rooms for person in (maker, *others)]
    made = """INSERT INTO rooms (id, kind, name, created_by, created_at, members, direct_key)
        VALUES (:id, 'direct', '', :user, 0, 2, :key)"""
    been = """INSERT INTO members (room, "user", role, joined_seq, joined_at, read_seq, read_n)
        VALUES (:room, :user, 'member', 1, 0, 1, 0)"""
    with world.store.elsewhere() as other:
        other.execute(text(made), rooms)
        other.execute(text(been), places)


async def test_direct_rooms_created_by_others_do_not_count_towards_my_limit(
    world: World,
) -> None:
    put(world, MAX_DIRECT_MADE, world.alice, world.bob)
    public = await world.room(CreateRoom(name="Carol's"), world.carol)
    private = await world.room(CreateRoom(kind="private", name="Carol's"), world.carol)
    await world.do(JoinRoom(room=public), world.bob)
    await world.do(AddMember(room=private, user=world.bob.id), world.carol)
    await world.room(CreateRoom(name="Bob's", members=(world.carol.id,)), world.bob)
    await world.room(CreateRoom(kind="direct", members=(world.bob.id,)), world.carol)
    await world.room(CreateRoom(kind="direct", members=(world.alice.id,)), world.bob)
    with pytest.raises(Conflict, match="You have created 1,000 direct rooms"):
        await world.do(CreateRoom(kind="direct", members=(world.carol.id,)))
    await world.room(CreateRoom(name="Alice's"))


async def test_direct_rooms_of_one_creator_with_the_same_user_are_limited(world: World) -> None:
    put(world, MAX_DIRECT_WITH - 1, world.alice, world.bob)
    between = CreateRoom(kind="direct", members=(world.bob.id, world.carol.id))
    room = await world.room(between)
    more = CreateRoom(kind="direct", members=(world.owner.id, world.bob.id))
    with pytest.raises(Conflict, match="You have created 100 direct rooms with one of these people"):
        await world.do(more)
    assert await world.room(between) == room, "an existing room is found as before"
    await world.room(CreateRoom(kind="direct", members=(world.owner.id, world.carol.id)))
    await world.room(CreateRoom(kind="direct", members=(world.owner.id, world.alice.id)), world.bob)
    assert await world.room(more, world.carol), "another creator is not limited"


async def test_direct_rooms_with_oneself_count_towards_the_limit(world: World) -> None:
    put(world, MAX_DIRECT_MADE - 1, world.alice)
    await world.room(CreateRoom(kind="direct"))
    with pytest.raises(Conflict, match="1,000"):
        await world.do(CreateRoom(kind="direct", members=(world.bob.id,)))
