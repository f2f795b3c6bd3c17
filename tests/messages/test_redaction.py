"""A text is in one row of the log, and in no file after its deletion.

Live clients receive every version.
"""

import subprocess

import pytest
from sqlalchemy import text

from hubbub.domain.commands import (
    AddMember,
    DeleteMessage,
    EditMessage,
    EventsSince,
    SendMessage,
    TrimTopic,
    UpdateRoom,
)
from hubbub.domain.events import MessageEdited, MessageSent
from hubbub.domain.model import SYSTEM, room_topic
from hubbub.engine.batch import Receipt
from hubbub.features import sync
from hubbub.storage import backup, log
from tests.messages.conftest import Talk, plain

OLD, NEW = "xylophone-seven", "zeppelin-eleven"


def bodies(frames: list[dict[str, object]]) -> list[object]:
    return [frame.get("body", "-") for frame in frames if str(frame["type"]).startswith("message.")]


async def test_an_edit_leaves_the_text_in_one_log_row_and_a_deletion_in_none(talk: Talk) -> None:
    alice = talk.world.alice
    seq = await talk.say(alice, OLD)
    assert bodies(talk.log()) == [OLD]
    await talk.edit(alice, seq, NEW)
    assert bodies(talk.log()) == [None, NEW]
    await talk.edit(alice, seq, OLD)
    assert bodies(talk.log()) == [None, None, OLD]
    await talk.delete(alice, seq)
    assert bodies(talk.log()) == [None, None, None, "-"]
    assert bodies(talk.live()) == [OLD, NEW, OLD, "-"], "live clients receive everything"
    answer = plain(talk.read(sync.events_since, alice.id, True, EventsSince(topic=room_topic(talk.room), after=1)))
    assert bodies(answer["events"]) == [None, None, None, "-"]


async def test_deleting_a_forward_removes_the_original_author_from_the_log(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    copy = await talk.forward(alice, talk.room, talk.room, await talk.say(bob, OLD))
    assert [frame["forwarded"]["by"] for frame in talk.log() if "forwarded" in frame] == [bob.id]
    await talk.delete(alice, copy)
    assert [frame for frame in talk.log() if "forwarded" in frame] == []
    assert bodies(talk.log()) == [OLD, None, "-"]


async def test_a_message_sent_edited_and_deleted_in_one_batch_is_stored_without_its_text(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    seq = await talk.say(alice, "first") + 2  # The desk starts with two entries.
    room = talk.room
    done = await talk.world.desk.together(
        [
            (SendMessage(room=room, key="one", body="begin"), bob),
            (SendMessage(room=room, key="two", body=OLD), alice),
            (EditMessage(room=room, message=seq, body=NEW), bob),
            (EditMessage(room=room, message=seq, body=NEW), alice),
            (DeleteMessage(room=room, message=seq), alice),
        ]
    )
    assert [isinstance(one, Receipt) for one in done] == [True, True, False, True, True]
    assert max(talk.world.desk.batches) >= 4, "all but the first share a batch"
    assert bodies(talk.live()) == ["first", "begin", OLD, NEW, "-"]
    assert bodies(talk.log()) == ["first", "begin", None, None, "-"]
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


async def test_edits_of_old_messages_are_redacted_when_newcomers_lose_the_history(talk: Talk) -> None:
    """The edit's event comes after the newcomer joined, and the message before it."""
    alice, bob, carol = talk.world.alice, talk.world.bob, talk.world.carol
    seqs = [await talk.say(alice, f"{OLD} {number}") for number in range(4)]
    await talk.do(alice, AddMember(room=talk.room, user=carol.id))
    for seq in seqs[:2]:
        await talk.edit(alice, seq, NEW)
    await talk.edit(alice, seqs[0], "once more")
    await talk.delete(alice, seqs[3])
    room, topic = talk.room, room_topic(talk.room)
    done = await talk.world.desk.together(
        [
            (SendMessage(room=room, key="first", body="begin"), bob),
            (EditMessage(room=room, message=seqs[2], body=NEW * 300), alice),
            (UpdateRoom(room=room, history="joined"), alice),
        ]
    )
    assert [isinstance(one, Receipt) for one in done] == [True, True, True]
    answer = plain(talk.read(sync.events_since, carol.id, True, EventsSince(topic=topic, after=seqs[-1] + 1)))
    told = {event["seq"]: event.get("body", "-") for event in answer["events"] if event["type"] == "message.edited"}
    assert list(told.values()) == [None, "-", "-", "-"], "the client gets the latest edit with its text removed"
    assert not any(NEW in str(text) for (text,) in talk.world.desk.rows("SELECT text FROM log"))
    assert [talk.one(bob, seq)["body"] for seq in seqs] == ["once more", NEW, NEW * 300, None]
    await talk.do(alice, UpdateRoom(room=room, history="all"))
    await talk.edit(alice, seqs[1], "at last")
    assert talk.log()[-1]["body"] == "at last"
    await talk.delete(alice, seqs[1])
    assert talk.log()[-2]["body"] is None


async def test_another_node_reads_redacted_rows(talk: Talk) -> None:
    alice = talk.world.alice
    topic = room_topic(talk.room)
    seq = await talk.say(alice, OLD)
    await talk.edit(alice, seq, NEW)
    await talk.delete(alice, seq)
    found = talk.read(log.entries, topic, seq - 1)
    assert [type(entry.event).__name__ for entry in found] == ["MessageSent", "MessageEdited", "MessageDeleted"]
    for entry in found[:2]:
        assert isinstance(entry.event, MessageSent | MessageEdited)
        assert entry.event.body is None


async def test_a_stored_row_is_recognised_after_another_node_redacted_it(talk: Talk) -> None:
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
        assert talk.world.desk.database.path is None or not in_files(talk, words)


def in_tables(talk: Talk, words: str) -> bool:
    with talk.world.desk.elsewhere() as other:
        names = backup.ordinary(other)
        rows = [str(row) for name in names for row in other.execute(text(f"SELECT * FROM {name}"))]
    return any(words in row for row in rows)


def in_files(talk: Talk, words: str) -> bool:
    """Return whether SQLite's files contain the words after a checkpoint.

    On PostgreSQL, whose files are out of reach, return True.
    """
    path = talk.world.desk.database.path
    if path is None:
        return True
    with talk.world.desk.elsewhere() as other:
        other.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [path, *path.parent.glob(f"{path.name}-*")]
    # Another process reads the files: closing a descriptor in this one would drop SQLite's locks.
    content = subprocess.run(["cat", *map(str, files)], capture_output=True, check=True).stdout
    return words.encode() in content
