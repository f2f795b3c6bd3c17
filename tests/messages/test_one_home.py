"""A text is in the row of its message alone, and in no file after its deletion.

Live clients receive every version. Clients that catch up later receive the present one.
"""

import subprocess

import orjson
import pytest
from sqlalchemy import text

from hubbub.domain.commands import (
    AddMember,
    DeleteMessage,
    EditMessage,
    EventsSince,
    PinMessage,
    SendMessage,
    TrimTopic,
    UnpinMessage,
    UpdateRoom,
)
from hubbub.domain.model import SYSTEM, Actor, room_topic
from hubbub.engine.batch import Receipt
from hubbub.features import sync
from hubbub.storage import backup, log
from tests.messages.conftest import Talk, plain

OLD, NEW = "xylophone-seven", "zeppelin-eleven"


def bodies(frames: list[dict[str, object]]) -> list[object]:
    return [frame.get("body", "-") for frame in frames if str(frame["type"]).startswith("message.")]


def texts_in_log(talk: Talk) -> str:
    return str(talk.world.store.rows("SELECT text FROM log"))


async def test_replayed_events_show_the_present_text_of_their_message(talk: Talk) -> None:
    alice = talk.world.alice
    seq = await talk.say(alice, OLD)
    assert bodies(talk.log()) == [OLD]
    await talk.edit(alice, seq, NEW)
    assert bodies(talk.log()) == [NEW, NEW]
    await talk.edit(alice, seq, "third")
    assert bodies(talk.log()) == ["third"] * 3
    assert bodies(talk.live()) == [OLD, NEW, "third"], "live clients receive everything"
    await talk.delete(alice, seq)
    assert bodies(talk.log()) == [None, None, None, "-"]
    assert bodies(talk.live()) == [OLD, NEW, "third", "-"]
    answer = plain(talk.read(sync.events_since, alice.id, True, EventsSince(topic=room_topic(talk.room), after=1)))
    assert bodies(answer["events"]) == [None, None, None, "-"]
    assert not any(words in texts_in_log(talk) for words in (OLD, NEW, "third"))


async def test_a_replayed_event_differs_from_the_live_one_in_nothing_but_the_text(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    first = await talk.say(alice, 'hello @bob \u2028 "quoted" \\')
    await talk.say(bob, "@room, look", reply_to=first)
    await talk.forward(bob, talk.room, talk.room, first)
    assert talk.log() == talk.live()
    await talk.edit(alice, first, "hello @carol and @room")
    await talk.edit(alice, first, "hello nobody")
    await talk.delete(alice, await talk.say(alice, "for @bob"))
    again = [(now | {"body": None}, then | {"body": None}) for now, then in zip(talk.log(), talk.live(), strict=True)]
    for now, then in again:
        assert now == then, "mentions and all else are those of that time: clients count by them"


async def test_deleting_a_forward_removes_the_original_author_from_the_log(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    copy = await talk.forward(alice, talk.room, talk.room, await talk.say(bob, OLD))
    assert [frame["forwarded"]["by"] for frame in talk.log() if "forwarded" in frame] == [bob.id]
    await talk.delete(alice, copy)
    assert [frame for frame in talk.log() if "forwarded" in frame] == []
    assert bodies(talk.log()) == [OLD, None, "-"]


async def test_a_message_sent_edited_and_deleted_in_one_batch_is_stored_without_its_text(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    seq = await talk.say(alice, "first") + 2  # The room starts with two entries.
    room = talk.room
    done = await talk.world.store.together(
        [
            (SendMessage(room=room, key="one", body="begin"), bob),
            (SendMessage(room=room, key="two", body=OLD), alice),
            (EditMessage(room=room, message=seq, body=NEW), bob),
            (EditMessage(room=room, message=seq, body=NEW), alice),
            (DeleteMessage(room=room, message=seq), alice),
        ]
    )
    assert [isinstance(one, Receipt) for one in done] == [True, True, False, True, True]
    assert max(talk.world.store.batches) >= 4, "all but the first share a batch"
    assert bodies(talk.live()) == ["first", "begin", OLD, NEW, "-"]
    assert bodies(talk.log()) == ["first", "begin", None, None, "-"]
    assert not any(words in texts_in_log(talk) for words in (OLD, NEW))
    assert talk.one(bob, seq)["deleted"]


async def test_edits_and_deletions_work_on_a_trimmed_log(talk: Talk) -> None:
    alice = talk.world.alice
    seqs = [await talk.say(alice, OLD), await talk.say(alice, OLD)]
    await talk.edit(alice, seqs[1], NEW)
    await talk.do(SYSTEM, TrimTopic(topic=room_topic(talk.room), before=2**52))
    assert talk.log() == []
    await talk.edit(alice, seqs[0], NEW)
    assert bodies(talk.log()) == [NEW]
    for seq in seqs:
        await talk.delete(alice, seq)
    assert bodies(talk.log()) == [None, "-", "-"]


async def test_edits_of_messages_from_before_a_membership_have_no_text(talk: Talk) -> None:
    """The edit's event comes after the newcomer joined, and the message before it."""
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    seqs = [await talk.say(alice, f"{OLD} {number}") for number in range(3)]
    await talk.do(alice, AddMember(room=talk.room, user=carol.id))
    later = await talk.say(alice, OLD)
    for seq in (*seqs[:2], later):
        await talk.edit(alice, seq, NEW)
    await talk.edit(alice, seqs[0], "once more")

    def edits_for(who: Actor) -> list[object]:
        topic = room_topic(talk.room)
        answer = plain(talk.read(sync.events_since, who.id, True, EventsSince(topic=topic, after=seqs[-1] + 1)))
        gap = [orjson.loads(text) for text in talk.read(sync.gap, who.id, topic, seqs[-1] + 1, answer["head"])]
        assert gap == answer["events"], "the events between snapshot and subscription are the same"
        return [event["body"] for event in answer["events"] if event["type"] == "message.edited"]

    assert edits_for(bob) == ["once more", NEW, NEW, "once more"]
    assert edits_for(carol) == [None, None, NEW, None]
    await talk.do(alice, UpdateRoom(room=talk.room, history="joined"))
    await talk.edit(alice, later, "at last")
    assert edits_for(bob) == ["once more", NEW, "at last", "once more", "at last"]
    assert edits_for(carol) == [None, None, "at last", None, "at last"]
    assert talk.live()[-1]["body"] is None, "the live event is for all members"
    page = talk.page(carol)["messages"]
    assert [message["body"] for message in page] == ["at last"]


async def test_a_user_who_has_left_gets_no_events_between_snapshot_and_subscription(talk: Talk) -> None:
    bob = talk.world.bob
    seq = await talk.say(bob)
    topic = room_topic(talk.room)
    assert len(talk.read(sync.gap, bob.id, topic, seq - 1, seq)) == 1
    assert talk.read(sync.gap, talk.world.carol.id, topic, seq - 1, seq) == []


async def test_a_deleted_message_keeps_its_key_and_no_digest_of_its_text(talk: Talk) -> None:
    alice = talk.world.alice
    seq = await talk.say(alice, "yes")
    await talk.delete(alice, seq)
    assert talk.world.store.rows(f"SELECT digest FROM messages WHERE room = {talk.room}") == [(None,)]
    for body in ("yes", "no"):
        assert (await talk.do(alice, SendMessage(room=talk.room, key="key 1", body=body)))["seq"] == seq


async def test_a_stored_row_is_recognised_after_another_node_changed_it(talk: Talk) -> None:
    """The journal looks up a COMMIT whose outcome is unknown.

    Another node may have edited the message meanwhile.
    """
    alice = talk.world.alice
    seq = await talk.say(alice, OLD)
    topic = room_topic(talk.room)
    before = talk.read(log.row_at, topic, seq)
    await talk.edit(alice, seq, NEW)
    assert before is not None
    assert talk.read(log.row_at, topic, seq) == before
    assert talk.read(log.row_at, topic, seq + 1) not in (None, before)


@pytest.mark.parametrize("body", [OLD, OLD * 400], ids=["short", "long"])
async def test_a_deleted_text_is_in_no_file_and_no_table(talk: Talk, body: str) -> None:
    alice = talk.world.alice
    seq = await talk.say(alice, body)
    copy = await talk.say(alice, "to be edited")
    await talk.edit(alice, copy, body)
    await talk.edit(alice, seq, NEW)
    assert in_tables(talk, OLD)
    assert in_files(talk, NEW), "before the deletion both texts are there"
    await talk.delete(alice, seq)
    await talk.delete(alice, copy)
    for words in (OLD, NEW):
        assert not in_tables(talk, words)
        assert talk.world.store.database.path is None or not in_files(talk, words)


def in_tables(talk: Talk, words: str) -> bool:
    with talk.world.store.elsewhere() as other:
        names = backup.ordinary(other)
        rows = [str(row) for name in names for row in other.execute(text(f"SELECT * FROM {name}"))]
    return any(words in row for row in rows)


def in_files(talk: Talk, words: str) -> bool:
    """Return whether SQLite's files contain the words after a checkpoint.

    On PostgreSQL, whose files are out of reach, return True.
    """
    path = talk.world.store.database.path
    if path is None:
        return True
    with talk.world.store.elsewhere() as other:
        other.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [path, *path.parent.glob(f"{path.name}-*")]
    # Another process reads the files: closing a descriptor in this one would drop SQLite's locks.
    content = subprocess.run(["cat", *map(str, files)], capture_output=True, check=True).stdout
    return words.encode() in content


@pytest.mark.parametrize("pattern", ["mmmmmm", "mpmpmp", "ppmmpp", "mmmppp", "pmmmme", "mepemp"])
async def test_every_window_of_the_log_has_messages_and_other_entries_in_order(talk: Talk, pattern: str) -> None:
    """`m` is a message, `p` the pin and `e` the edit of the newest one."""
    alice, topic = talk.world.alice, room_topic(talk.room)
    newest = await talk.say(alice)
    pinned = False
    for number, kind in enumerate(pattern):
        if kind == "m":
            newest, pinned = await talk.say(alice, f'"{number}" \\ \n é 🎉'), False
        elif kind == "e":
            await talk.edit(alice, newest, f"edited {number}")
        else:
            await talk.do(alice, (UnpinMessage if pinned else PinMessage)(room=talk.room, message=newest))
            pinned = not pinned
    everything = talk.log()
    head = everything[-1]["seq"]
    assert [entry["seq"] for entry in everything] == list(range(1, head + 1))
    for after in range(head + 1):
        for limit in range(head + 2):
            page = talk.read(log.since, topic, after, limit)
            assert page is not None
            assert [orjson.loads(text) for text in page.texts] == everything[after : after + limit]
            assert page.last == min(after + limit, head)
