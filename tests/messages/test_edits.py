"""Editing and deleting messages: who may, and what remains."""

import pytest

from hubbub.domain.commands import (
    AddMember,
    AddReaction,
    ArchiveRoom,
    DeleteMessage,
    EditMessage,
    EventsSince,
    ForwardMessage,
    PinMessage,
    SendMessage,
    SetMemberRole,
    UpdateRoom,
)
from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import RoomRole, room_topic
from hubbub.features import sync
from tests.messages.conftest import Talk, plain


async def test_an_author_edits_a_message_and_earlier_versions_are_kept(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
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


async def test_only_the_author_can_edit_an_existing_message(talk: Talk) -> None:
    alice, bob, carol, owner = talk.world.alice, talk.world.bob, talk.world.carol, talk.world.owner
    seq = await talk.say(bob, "mine")
    command = EditMessage(room=talk.room, message=seq, body="yours")
    assert await talk.refused(alice, command) == ("forbidden", "You can only edit your own messages.")
    for stranger in (carol, owner):
        assert (await talk.refused(stranger, command))[0] == "not_found"
    for absent in (seq - 1, seq + 1_000):  # The first is the seq of another event, and the second does not exist.
        assert (await talk.refused(bob, EditMessage(room=talk.room, message=absent, body="x")))[0] == "not_found"
    copy = await talk.forward(bob, talk.room, talk.room, seq)
    assert (await talk.refused(bob, EditMessage(room=talk.room, message=copy, body="x")))[0] == "forbidden"
    await talk.delete(bob, seq)
    assert await talk.refused(bob, command) == ("conflict", "This message was deleted.")


async def test_a_deleted_message_keeps_its_seq_and_loses_everything_attached_to_it(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
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


async def test_moderators_delete_any_message_and_see_its_earlier_versions(talk: Talk) -> None:
    alice, bob, carol, owner = talk.world.alice, talk.world.bob, talk.world.carol, talk.world.owner
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
            await talk.do(alice, SetMemberRole(room=room, user=who.id, role=RoomRole.MODERATOR))
            await talk.delete(who, seq)
    with pytest.raises(NotFound):
        talk.edits(talk.world.guest, 1)


async def test_in_a_direct_room_only_authors_delete_their_messages(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    room = await talk.another(alice, kind="direct", name=None, members=(bob.id,))
    talk.room = room
    seq = await talk.say(bob, "between us")
    assert (await talk.refused(alice, DeleteMessage(room=room, message=seq)))[0] == "forbidden"
    with pytest.raises(Forbidden):
        talk.edits(alice, seq)
    await talk.pin(alice, seq)
    await talk.delete(bob, seq)
    assert talk.pins(bob)["pins"] == []


async def test_in_an_archived_room_messages_cannot_be_edited_but_authors_can_delete_theirs(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    seq, other = await talk.say(bob, "my address"), await talk.say(alice)
    await talk.do(alice, ArchiveRoom(room=talk.room))
    edit = EditMessage(room=talk.room, message=seq, body="x")
    assert await talk.refused(bob, edit) == ("forbidden", "This room is archived.")
    assert talk.one(bob, seq)["body"] == "my address"
    assert (await talk.refused(bob, DeleteMessage(room=talk.room, message=other)))[0] == "forbidden", (
        "the message of another author"
    )
    assert await talk.do(bob, DeleteMessage(room=talk.room, message=seq))
    assert talk.one(alice, seq)["deleted"]
    assert "my address" not in str(talk.log())


async def test_newcomers_without_history_learn_nothing_of_earlier_messages(talk: Talk) -> None:
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    await talk.do(alice, UpdateRoom(room=talk.room, history="joined"))
    old = await talk.say(alice, "old secret")
    await talk.pin(alice, old)
    await talk.do(alice, AddMember(room=talk.room, user=carol.id))
    new = await talk.say(bob, "what?", reply_to=old)
    await talk.edit(alice, old, "older secret")
    newest = await talk.say(bob, "and now?")
    await talk.edit(bob, newest, "and then?")
    assert [event.get("body") for event in talk.live() if event["type"] == "message.edited"] == [None, None]
    since = EventsSince(topic=room_topic(talk.room), after=new - 2)
    assert "secret" not in str(plain(talk.read(sync.events_since, carol.id, True, since)))
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
    """Return which of the tables that refer to messages have rows."""
    tables = ("edits", "pins", "reactions", "mentions")
    return [table for table in tables if talk.world.store.rows(f"SELECT 1 FROM {table}")]
