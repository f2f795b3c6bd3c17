"""Reactions: decided in runs, on both databases."""

import emoji as emojis
import pytest

from hubbub.domain.commands import AddReaction, Command, RemoveReaction
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import Actor
from hubbub.domain.text import MAX_REACTIONS
from hubbub.engine.work import Receipt
from hubbub.storage import reactions
from tests.attention.conftest import Table, seq

THUMB, HEART = "👍", "❤️"
MANY = sorted(text for text, facts in emojis.EMOJI_DATA.items() if facts["status"] == emojis.STATUS["fully_qualified"])[
    : MAX_REACTIONS + 5
]


async def test_a_run_of_reactions_is_decided_one_by_one_and_twice_is_once(table: Table) -> None:
    message = await table.say(table.owner)
    asked: list[tuple[Command, Actor]] = [
        (AddReaction(room=table.room, message=message, emoji=THUMB), table.owner),
        (AddReaction(room=table.room, message=message, emoji=THUMB), table.owner),
        (AddReaction(room=table.room, message=message, emoji=THUMB), table.member),
        (AddReaction(room=table.room, message=message, emoji=THUMB), table.member),
        (AddReaction(room=table.room, message=message, emoji=THUMB), table.stranger),
        (AddReaction(room=table.room, message=message + 100, emoji=THUMB), table.member),
        (AddReaction(room=table.room, message=message, emoji=HEART), table.member),
    ]
    results = await table.together(asked)
    answers = [found.answer if isinstance(found, Receipt) else found for found in results]
    assert seq(answers[0]) == message + 1
    assert answers[1] == answers[3] == {}
    assert seq(answers[2]) == message + 2
    assert isinstance(answers[4], NotFound)
    assert isinstance(answers[5], NotFound)
    assert seq(answers[6]) == message + 3
    assert table.desk.rows("SELECT count(*) FROM reactions") == [(3,)]
    page = table.desk.database.read(reactions.of, table.room, [message], table.owner.id)
    assert [(one.emoji, one.count, one.mine, one.by) for one in page[message]] == [
        (THUMB, 2, True, [table.owner.id, table.member.id]),
        (HEART, 1, False, [table.member.id]),
    ]


async def test_a_message_takes_fifty_emoji_and_no_more(table: Table) -> None:
    message = await table.say(table.owner)
    asked: list[tuple[Command, Actor]] = [
        (AddReaction(room=table.room, message=message, emoji=one), table.owner) for one in MANY
    ]
    results = await table.together(asked)
    assert [type(one) for one in results[:MAX_REACTIONS]] == [Receipt] * MAX_REACTIONS
    assert [type(one) for one in results[MAX_REACTIONS:]] == [Conflict] * 5
    one_past, there = MANY[MAX_REACTIONS], MANY[MAX_REACTIONS - 1]
    with pytest.raises(Conflict):
        await table.desk.journal.submit(AddReaction(room=table.room, message=message, emoji=one_past), table.member)
    same = await table.desk.journal.submit(AddReaction(room=table.room, message=message, emoji=there), table.member)
    assert same.answer
    for who in (table.owner, table.member):
        gone = RemoveReaction(room=table.room, message=message, emoji=there)
        assert (await table.desk.journal.submit(gone, who)).answer
        assert (await table.desk.journal.submit(gone, who)).answer == {}
    again = AddReaction(room=table.room, message=message, emoji=one_past)
    assert (await table.desk.journal.submit(again, table.member)).answer
