"""Replies, forwards, and idempotency keys, which stay valid for ever."""

from hashlib import sha256

from hubbub.domain.commands import ArchiveRoom, DeleteAccount, ForwardMessage, RemoveMember, SendMessage
from hubbub.domain.model import SYSTEM
from hubbub.engine.batch import Receipt
from tests.messages.conftest import Talk


async def test_a_reply_names_its_message_even_if_that_is_deleted(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    first = await talk.say(alice, "who is there?")
    await talk.say(bob, "between")
    reply = await talk.say(bob, "me", reply_to=first)
    assert talk.live()[-1]["reply_to"] == first
    page = talk.page(alice, after=first)
    assert [(one["seq"], one.get("reply_to")) for one in page["messages"]][1] == (reply, first)
    assert [(one["seq"], one["body"]) for one in page["quotes"]] == [(first, "who is there?")]
    await talk.delete(alice, first)
    late = await talk.say(bob, "still me", reply_to=first)
    assert talk.one(alice, late)["reply_to"] == first
    assert [(one["seq"], one["body"], one["deleted"]) for one in talk.page(bob)["quotes"]] == [(first, None, True)]


async def test_only_messages_of_the_same_room_can_be_replied_to(talk: Talk) -> None:
    alice = talk.world.alice
    seq = await talk.say(alice)
    room = await talk.another(alice)
    there = await talk.say(alice, "elsewhere", room=room)
    head = talk.log()[-1]["seq"]
    # The first is an event that is not a message; the others do not exist.
    for absent in (seq - 1, there + 5, 2**53 - 1):
        refusal = await talk.refused(alice, SendMessage(room=talk.room, key="k", body="x", reply_to=absent))
        assert refusal == ("not_found", "The message you are replying to was not found.")
    assert talk.log()[-1]["seq"] == head
    done = await talk.do(alice, SendMessage(room=talk.room, key="k", body="x", reply_to=seq))
    assert done["seq"] == head + 1, "a refused command does not use up its key"


async def test_a_group_with_and_without_replies_is_decided_at_once(talk: Talk) -> None:
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    seq = await talk.say(alice)
    room = talk.room
    asked = [
        (SendMessage(room=room, key="a", body="plain"), bob),
        (SendMessage(room=room, key="b", body="reply", reply_to=seq), alice),
        (SendMessage(room=room, key="b", body="reply", reply_to=seq), alice),
        (SendMessage(room=room, key="b", body="reply"), alice),
        (SendMessage(room=room, key="c", body="to nothing", reply_to=seq + 500), alice),
        (SendMessage(room=room, key="d", body="not in", reply_to=seq), carol),
        (SendMessage(room=room, key="e", body="x" * 3_000, reply_to=seq), bob),
    ]
    done = [
        one.answer["seq"] if isinstance(one, Receipt) else one.code for one in await talk.world.store.together(asked)
    ]
    assert done[0:2] == [seq + 1, seq + 2]
    assert done[2:] == [seq + 2, "conflict", "not_found", "not_found", seq + 3]
    shown = talk.page(alice)["messages"]
    assert [one.get("reply_to") for one in shown] == [None, None, seq, seq]
    assert len(shown[-1]["body"]) == 3_000


async def test_a_key_stands_for_the_body_and_the_message_replied_to(talk: Talk) -> None:
    alice = talk.world.alice
    first, second = await talk.say(alice, "one"), await talk.say(alice, "two")
    said = SendMessage(room=talk.room, key="k", body="yes", reply_to=first)
    done = await talk.do(alice, said)
    assert await talk.do(alice, said) == done
    for other in (
        said.model_copy(update={"reply_to": second}),
        said.model_copy(update={"reply_to": None}),
        said.model_copy(update={"body": "no"}),
        ForwardMessage(room=talk.room, key="k", from_room=talk.room, message=first),
    ):
        assert await talk.refused(alice, other) == ("conflict", "That key was used for another message.")
    await talk.do(talk.world.alice, ArchiveRoom(room=talk.room))
    assert await talk.do(alice, said) == done, "a retry works without the right to send"
    assert (await talk.refused(alice, said.model_copy(update={"key": "new"})))[1] == "This room is archived."


async def test_a_key_stored_by_an_earlier_version_is_still_recognised(talk: Talk) -> None:
    """Databases of the first version contained the SHA-256 of the body alone."""
    alice = talk.world.alice
    seq = await talk.say(alice, "grüezi")
    stored = talk.world.store.rows("SELECT digest FROM messages")
    assert stored == [(int.from_bytes(sha256("grüezi".encode()).digest()[:8], signed=True),)]
    assert (await talk.do(alice, SendMessage(room=talk.room, key="key 1", body="grüezi")))["seq"] == seq


async def test_a_forward_is_the_forwarders_message_and_names_the_first_author(talk: Talk) -> None:
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    open_ = await talk.another(alice, bob, carol, kind="public", name="Open")
    seq = await talk.say(bob, "helo @alice", room=open_)
    copy = await talk.forward(alice, talk.room, open_, seq)
    shown = talk.one(bob, copy)
    at = talk.one(bob, seq, open_)["at"]
    assert shown["forwarded"] == {"by": bob.id, "name": "bob", "at": at, "room": open_, "message": seq}
    assert (shown["by"], shown["body"], "mentions" in shown) == (alice.id, "helo @alice", False)
    assert talk.live()[-1]["forwarded"] == shown["forwarded"]
    again = await talk.forward(bob, open_, talk.room, copy)
    assert talk.one(carol, again, open_)["forwarded"] == shown["forwarded"]
    talk.room, there = open_, talk.room
    await talk.delete(bob, seq)
    talk.room = there
    assert talk.one(alice, copy)["body"] == "helo @alice", "a copy stays when the source is gone"


async def test_forwards_do_not_name_a_deleted_author(talk: Talk) -> None:
    seq = await talk.say(talk.world.bob, "hello")
    alice = talk.world.alice
    copy = await talk.forward(alice, talk.room, talk.room, seq)
    await talk.do(SYSTEM, DeleteAccount(user=talk.world.bob.id))
    neutral = talk.one(alice, seq)["name"]
    assert neutral != "bob"
    again = await talk.forward(alice, talk.room, talk.room, copy)
    assert [talk.one(alice, one)["forwarded"]["name"] for one in (copy, again)] == [neutral] * 2
    assert talk.live()[-1]["forwarded"]["name"] == neutral


async def test_a_forward_out_of_a_private_room_does_not_name_the_room(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    second = await talk.another(alice, bob)
    seq = await talk.say(bob, "between us")
    inside = await talk.forward(alice, talk.room, talk.room, seq)
    assert talk.one(bob, inside)["forwarded"]["message"] == seq
    for source in (seq, inside):  # This also holds for a forward of a forward.
        copy = await talk.forward(alice, second, talk.room, source)
        assert talk.one(bob, copy, second)["forwarded"].keys() == {"by", "name", "at"}
        back = await talk.forward(alice, talk.room, second, copy)
        assert talk.one(bob, back)["forwarded"].keys() == {"by", "name", "at"}


async def test_forwarding_requires_membership_in_both_rooms(talk: Talk) -> None:
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    mine = await talk.another(bob, carol)
    seq = await talk.say(alice, "secret")
    command = ForwardMessage(room=mine, key="f", from_room=talk.room, message=seq)
    assert (await talk.refused(carol, command))[0] == "not_found"
    assert (await talk.refused(alice, command))[0] == "not_found"
    absent = command.model_copy(update={"message": seq - 1})
    assert (await talk.refused(bob, absent))[0] == "not_found"
    done = await talk.do(bob, command)
    await talk.do(alice, RemoveMember(room=talk.room, user=bob.id))
    assert await talk.do(bob, command) == done, "a retry works after the right is gone"
    assert (await talk.refused(bob, command.model_copy(update={"key": "g"})))[0] == "not_found"
    assert (await talk.refused(bob, absent))[0] == "conflict"
    await talk.delete(alice, seq)
    own = ForwardMessage(room=talk.room, key="own", from_room=talk.room, message=seq)
    assert await talk.refused(alice, own) == ("conflict", "This message was deleted.")
    await talk.do(alice, ArchiveRoom(room=talk.room))
    assert (await talk.refused(alice, own))[1] == "This room is archived."


async def test_a_forward_copies_the_body_at_that_time(talk: Talk) -> None:
    alice = talk.world.alice
    room = await talk.another(alice)
    seq = await talk.say(alice, "first")
    await talk.edit(alice, seq, "second")
    copy = await talk.forward(alice, room, talk.room, seq)
    await talk.edit(alice, seq, "third")
    assert talk.one(alice, copy, room)["body"] == "second"
