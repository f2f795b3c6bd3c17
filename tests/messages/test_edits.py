"""A message is edited and deleted: by whom, what is left, and who sees what it said before."""

import pytest

from hubbub.domain.commands import (
    AddReaction,
    ArchiveRoom,
    DeleteMessage,
    EditMessage,
    ForwardMessage,
    InviteMember,
    PinMessage,
    SendMessage,
    SetRoomRole,
    UpdateRoom,
)
from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import RoomRole
from tests.messages.conftest import Talk


async def test_an_author_edits_and_what_was_said_before_is_kept(talk: Talk) -> None:
    alice, bob = talk.hall.alice, talk.hall.bob
    seq = await talk.say(alice, "first")
    assert await talk.edit(alice, seq, "first") == {}
    for body in ("second", "third", "fourth"):
        assert (await talk.edit(alice, seq, body))["seq"] == talk.live()[-1]["seq"]
    event = talk.live()[-1]
    assert (event["message"], event["by"], event["body"]) == (seq, alice.id, "fourth")
    assert talk.one(bob, seq)["body"] == "fourth"
    assert talk.one(bob, seq)["edited_at"] == event["at"]
    whole = talk.edits(alice, seq)
    assert [(one["version"], one["body"]) for one in whole["edits"]] == [(1, "first"), (2, "second"), (3, "third")]
    assert whole["edits"][0]["at"] == talk.one(bob, seq)["at"]
    pages = [talk.edits(alice, seq, limit=2), talk.edits(alice, seq, after=2, limit=2)]
    assert [page["more"] for page in pages] == [True, False]
    assert [one for page in pages for one in page["edits"]] == whole["edits"]


async def test_nobody_but_the_author_edits_and_only_what_is_there(talk: Talk) -> None:
    alice, bob, carol, owner = talk.hall.alice, talk.hall.bob, talk.hall.carol, talk.hall.owner
    seq = await talk.say(bob, "mine")
    command = EditMessage(room=talk.room, message=seq, body="yours")
    assert await talk.refused(alice, command) == ("forbidden", "You can only edit your own messages.")
    for stranger in (carol, owner):
        assert (await talk.refused(stranger, command))[0] == "not_found"
    for absent in (seq - 1, seq + 1_000):  # another event's place, and nobody's
        assert (await talk.refused(bob, EditMessage(room=talk.room, message=absent, body="x")))[0] == "not_found"
    copy = await talk.forward(bob, talk.room, talk.room, seq)
    assert (await talk.refused(bob, EditMessage(room=talk.room, message=copy, body="x")))[0] == "forbidden"
    await talk.delete(bob, seq)
    assert await talk.refused(bob, command) == ("conflict", "This message was deleted.")


async def test_a_deleted_message_leaves_its_place_and_nothing_that_hung_on_it(talk: Talk) -> None:
    alice, bob = talk.hall.alice, talk.hall.bob
    first = await talk.say(alice, "which?")
    seq = await talk.say(alice, "helo @bob", reply_to=first)
    await talk.edit(alice, seq, "hello @bob")
    await talk.pin(alice, seq)
    await talk.do(bob, AddReaction(room=talk.room, message=seq, emoji="👍"))
    assert _filled(talk) == ["edits", "pins", "reactions", "mentions"]
    await talk.delete(alice, seq)
    assert await talk.delete(alice, seq) == {}
    assert _filled(talk) == []
    left = talk.one(bob, seq)
    assert {**left, "n": 0, "at": "", "key": ""} == {
        "room": talk.room, "seq": seq, "n": 0, "at": "", "by": alice.id, "name": "alice", "key": "", "body": None,
        "deleted": True, "reply_to": first, "pinned": False, "reactions": [],
    }  # fmt: skip
    assert talk.edits(alice, seq)["edits"] == []
    event = talk.live()[-1]
    assert (event["type"], event["message"], event["author"]) == ("message.deleted", seq, alice.id)
    assert event["mentioned"]["users"] == [bob.id]


async def test_who_looks_after_the_room_deletes_anything_and_sees_what_was_said(talk: Talk) -> None:
    alice, bob, carol, owner = talk.hall.alice, talk.hall.bob, talk.hall.carol, talk.hall.owner
    room = await talk.another(alice, bob, carol, owner, name="Four")
    talk.room = room
    for who, allowed in ((bob, False), (alice, True), (owner, True)):
        seq = await talk.say(carol, "never mind")
        await talk.edit(carol, seq, "never mind me")
        if allowed:
            assert len(talk.edits(who, seq)["edits"]) == 1
            await talk.delete(who, seq)
        else:
            with pytest.raises(Forbidden):
                talk.edits(who, seq)
            assert (await talk.refused(who, DeleteMessage(room=room, message=seq)))[0] == "forbidden"
            await talk.do(alice, SetRoomRole(room=room, user=who.id, role=RoomRole.MODERATOR))
            await talk.delete(who, seq)
    with pytest.raises(NotFound):
        talk.edits(talk.hall.guest, 1)


async def test_between_few_people_everybody_answers_for_his_own_words(talk: Talk) -> None:
    alice, bob = talk.hall.alice, talk.hall.bob
    room = await talk.another(alice, kind="direct", name=None, members=(bob.id,))
    talk.room = room
    seq = await talk.say(bob, "between us")
    assert (await talk.refused(alice, DeleteMessage(room=room, message=seq)))[0] == "forbidden"
    with pytest.raises(Forbidden):
        talk.edits(alice, seq)
    await talk.pin(alice, seq)
    await talk.delete(bob, seq)
    assert talk.pins(bob)["pins"] == []


async def test_in_an_archived_room_nothing_is_said_otherwise_but_still_taken_back(talk: Talk) -> None:
    alice, bob = talk.hall.alice, talk.hall.bob
    seq, other = await talk.say(bob, "my address"), await talk.say(alice)
    await talk.do(alice, ArchiveRoom(room=talk.room))
    edit = EditMessage(room=talk.room, message=seq, body="x")
    assert await talk.refused(bob, edit) == ("forbidden", "This room is archived.")
    assert talk.one(bob, seq)["body"] == "my address"
    assert (await talk.refused(bob, DeleteMessage(room=talk.room, message=other)))[0] == "forbidden", "not his"
    assert await talk.do(bob, DeleteMessage(room=talk.room, message=seq))
    assert talk.one(alice, seq)["deleted"]
    assert "my address" not in str(talk.log())


async def test_newcomers_who_do_not_read_back_learn_nothing_of_what_was_said_before(talk: Talk) -> None:
    alice, bob, carol = talk.hall.alice, talk.hall.bob, talk.hall.carol
    await talk.do(alice, UpdateRoom(room=talk.room, history="joined"))
    old = await talk.say(alice, "old secret")
    await talk.pin(alice, old)
    await talk.do(alice, InviteMember(room=talk.room, user=carol.id))
    new = await talk.say(bob, "what?", reply_to=old)
    await talk.edit(alice, old, "older secret")
    newest = await talk.say(bob, "and now?")
    await talk.edit(bob, newest, "and then?")
    assert [event.get("body") for event in talk.live() if event["type"] == "message.edited"] == [None, None]
    assert "secret" not in str(talk.log())
    page = talk.page(carol)
    assert [(one["seq"], one["body"]) for one in page["messages"]] == [(new, "what?"), (newest, "and then?")]
    assert page["quotes"] == []
    assert page["more"] == {"before": False, "after": False}
    assert talk.pins(carol)["pins"] == []
    with pytest.raises(NotFound):
        talk.one(carol, old)
    with pytest.raises(NotFound):
        talk.edits(carol, old)
    for command in (
        SendMessage(room=talk.room, key="reply", body="x", reply_to=old),
        ForwardMessage(room=talk.room, key="forward", from_room=talk.room, message=old),
        AddReaction(room=talk.room, message=old, emoji="👍"),
        PinMessage(room=talk.room, message=old),
    ):
        assert (await talk.refused(carol, command))[0] == "not_found"
    assert talk.page(bob)["quotes"][0]["body"] == talk.one(bob, old)["body"] == "older secret"
    await talk.do(alice, UpdateRoom(room=talk.room, history="all"))
    assert talk.one(carol, old)["body"] == talk.page(carol)["quotes"][0]["body"] == "older secret"


def _filled(talk: Talk) -> list[str]:
    """Which of the tables that hang on messages have rows."""
    tables = ("edits", "pins", "reactions", "mentions")
    return [table for table in tables if talk.hall.desk.rows(f"SELECT 1 FROM {table}")]
