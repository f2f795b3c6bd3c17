"""Pinned messages: who may pin, how many, and in which order they are listed."""

import pytest
from sqlalchemy import Connection, insert

from hubbub.domain.commands import (
    AddMember,
    ArchiveRoom,
    LeaveRoom,
    PinMessage,
    SetMemberRole,
    UnpinMessage,
    UpdateRoom,
)
from hubbub.domain.errors import NotFound
from hubbub.domain.model import RoomRole
from hubbub.domain.text import MAX_PINS
from hubbub.storage.schema import pins
from tests.messages.conftest import Talk


async def test_the_newest_pin_is_listed_first_and_pinning_is_idempotent(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    seqs = [await talk.say(bob, f"message {number}") for number in range(5)]
    order = [seqs[place] for place in (2, 0, 4, 1, 3)]
    for seq in order:
        await talk.pin(alice, seq)
    assert await talk.pin(alice, order[0]) == {}
    whole = talk.pins(bob)
    assert [one["message"]["seq"] for one in whole["pins"]] == order[::-1]
    assert {(one["by"], one["name"], one["message"]["pinned"]) for one in whole["pins"]} == {(alice.id, "alice", True)}
    events = [(event["seq"], event["message"]) for event in talk.live() if event["type"] == "message.pinned"]
    assert [(one["seq"], one["message"]["seq"]) for one in whole["pins"]] == events[::-1]
    first = talk.pins(bob, limit=3)
    rest = talk.pins(bob, before=first["pins"][-1]["seq"], limit=3)
    assert (first["more"], rest["more"]) == (True, False)
    assert first["pins"] + rest["pins"] == whole["pins"]
    unpin = UnpinMessage(room=talk.room, message=order[1])
    assert (await talk.do(alice, unpin))["seq"] == talk.live()[-1]["seq"]
    assert await talk.do(alice, unpin) == {}
    assert [one["message"]["seq"] for one in talk.pins(bob)["pins"]] == [*order[:1:-1], order[0]]
    assert not talk.one(bob, order[1])["pinned"]
    assert [one["seq"] for one in talk.page(bob)["messages"] if one["pinned"]] == sorted({*order} - {order[1]})


async def test_a_room_takes_a_limited_number_of_pins(talk: Talk) -> None:
    alice = talk.world.alice
    seqs = [await talk.say(alice) for _ in range(3)]

    def fill(connection: Connection) -> None:
        rows = [
            {"room": talk.room, "seq": 10**6 + number, "pinned_seq": 10**7, "by": alice.id, "at": 0}
            for number in range(1, MAX_PINS)
        ]
        connection.execute(insert(pins), rows)

    with talk.world.store.elsewhere() as other:
        fill(other)
    await talk.pin(alice, seqs[0])
    one_more = PinMessage(room=talk.room, message=seqs[1])
    assert await talk.refused(alice, one_more) == (
        "conflict",
        f"A room can have at most {MAX_PINS} pinned messages. Unpin one first.",
    )
    assert await talk.pin(alice, seqs[0]) == {}
    await talk.do(alice, UnpinMessage(room=talk.room, message=seqs[0]))
    await talk.do(alice, one_more)


async def test_pins_that_a_newcomer_cannot_see_do_not_count_against_their_limit(talk: Talk) -> None:
    """Members who joined without history cannot unpin what they cannot see."""
    alice, bob, room = talk.world.alice, talk.world.bob, talk.room
    await talk.do(alice, UpdateRoom(room=room, history="joined"))
    for number in range(MAX_PINS):
        await talk.pin(alice, await talk.say(alice, f"message {number}"))
    await talk.do(bob, LeaveRoom(room=room))
    await talk.do(alice, AddMember(room=room, user=bob.id))
    await talk.do(alice, SetMemberRole(room=room, user=bob.id, role=RoomRole.OWNER))
    seq = await talk.say(bob)
    one_more = PinMessage(room=room, message=seq)
    assert (await talk.refused(alice, one_more))[0] == "conflict", "alice sees all pins"
    await talk.pin(bob, seq)
    assert [one["message"]["seq"] for one in talk.pins(bob)["pins"]] == [seq]


async def test_only_moderators_pin_messages(talk: Talk) -> None:
    alice, bob, carol, owner = talk.world.alice, talk.world.bob, talk.world.carol, talk.world.owner
    seq = await talk.say(alice)
    room = await talk.another(alice, owner)
    there = await talk.say(alice, room=room)
    await talk.do(owner, PinMessage(room=room, message=there))
    for kind in (PinMessage, UnpinMessage):
        command = kind(room=talk.room, message=seq)
        assert await talk.refused(bob, command) == (
            "forbidden",
            "Only the room's owner, moderators and admins can pin messages.",
        )
        for stranger in (carol, owner):
            assert (await talk.refused(stranger, command))[0] == "not_found"
        assert (await talk.refused(alice, command.model_copy(update={"message": seq - 1})))[0] == "not_found"
    with pytest.raises(NotFound):
        talk.pins(carol)
    await talk.do(alice, SetMemberRole(room=talk.room, user=bob.id, role=RoomRole.MODERATOR))
    await talk.pin(bob, seq)
    await talk.delete(alice, seq)
    assert talk.pins(bob)["pins"] == []
    assert await talk.refused(bob, PinMessage(room=talk.room, message=seq)) == ("conflict", "This message was deleted.")
    await talk.do(alice, ArchiveRoom(room=room))
    for kind in (PinMessage, UnpinMessage):
        assert (await talk.refused(alice, kind(room=room, message=there)))[1] == "This room is archived."
