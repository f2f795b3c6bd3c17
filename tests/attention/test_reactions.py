"""Reactions, decided in groups, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import emoji as emojis
import orjson
import pytest
from sqlalchemy import Connection

from hubbub.domain.commands import (
    AddReaction,
    ArchiveRoom,
    Command,
    DeleteMessage,
    JoinRoom,
    ReadRoom,
    ReadRooms,
    RemoveReaction,
    RoomRead,
    SendMessage,
    UpdateRoom,
)
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor, room_topic, user_topic
from hubbub.domain.text import MAX_OWN_REACTIONS, MAX_REACTIONS
from hubbub.features import HANDLERS
from hubbub.features.reactions import listing
from hubbub.storage import reactions
from hubbub.storage.database import Statement
from hubbub.storage.ids import Ids
from hubbub.storage.transaction import Transaction
from tests.attention.conftest import Table, seq
from tests.conversation.client_state import ClientState

THUMB, HEART = "👍", "❤️"
MANY = sorted(text for text, facts in emojis.EMOJI_DATA.items() if facts["status"] == emojis.STATUS["fully_qualified"])[
    : MAX_REACTIONS + 5
]


async def test_reactions_in_a_group_are_decided_individually_and_duplicates_change_nothing(table: Table) -> None:
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
    answers = table.run(asked)
    assert seq(answers[0]) == message + 1
    assert answers[1] == answers[3] == {}
    assert seq(answers[2]) == message + 2
    assert isinstance(answers[4], NotFound)
    assert isinstance(answers[5], NotFound)
    assert seq(answers[6]) == message + 3
    assert table.store.rows("SELECT count(*) FROM reactions") == [(3,)]
    page = table.store.database.read(reactions.of, table.room, [message], table.owner.id)
    assert [tuple(one.values()) for one in page[message]] == [
        (THUMB, 2, True, [table.owner.id, table.member.id]),
        (HEART, 1, False, [table.member.id]),
    ]


async def test_an_emoji_keeps_its_position_after_its_first_user_removes_the_reaction(table: Table) -> None:
    """The replayed events and a page that is read anew give the same order."""
    three = (table.owner, table.member, await table.store.person("dora"))
    await table.store.journal.submit(JoinRoom(room=table.room), three[2])
    message = await table.say(table.owner)
    replica = ClientState(table.owner.id, lambda room, seq: None)
    replica.rooms[table.room] = {"head": message}
    replica.timelines[table.room] = {message: {"reactions": []}}
    seen = []
    for kind, who, emoji in (
        (AddReaction, 0, THUMB), (AddReaction, 1, HEART), (AddReaction, 2, THUMB), (RemoveReaction, 0, THUMB),
        (AddReaction, 0, HEART), (RemoveReaction, 2, THUMB), (AddReaction, 1, THUMB),
    ):  # fmt: skip
        (answer,) = table.run([(kind(room=table.room, message=message, emoji=emoji), three[who])])
        assert seq(answer) > message
        replica.replay(orjson.loads(table.store.published[-1].text))
        page = table.store.database.read(reactions.of, table.room, [message], table.owner.id)[message]
        assert page == replica.timelines[table.room][message]["reactions"]
        seen.append("".join(one["emoji"] for one in page))
    assert seen[3] == THUMB + HEART, "another user still has this reaction"
    assert seen[5:] == [HEART, HEART + THUMB], "a reaction that all users removed is added at the end"


async def test_beyond_twenty_users_a_removal_refetches_the_users_and_keeps_the_count(table: Table) -> None:
    message = await table.say(table.owner)
    crowd = [await table.store.person(f"crowd{number}") for number in range(reactions.SHOWN + 2)]
    for who in crowd:
        await table.store.journal.submit(JoinRoom(room=table.room), who)
    table.run([(AddReaction(room=table.room, message=message, emoji=THUMB), who) for who in crowd])

    def look() -> list[dict[str, Any]]:
        return table.store.database.read(reactions.of, table.room, [message], table.owner.id)[message]

    replica = ClientState(table.owner.id, lambda room, seq: {"reactions": look()})
    replica.rooms[table.room] = {"head": message}
    replica.timelines[table.room] = {message: {"reactions": look()}}
    for who, left in ((crowd[-1], 21), (crowd[0], 20), (crowd[1], 19)):
        table.run([(RemoveReaction(room=table.room, message=message, emoji=THUMB), who)])
        replica.replay(orjson.loads(table.store.published[-1].text))
        (found,) = replica.timelines[table.room][message]["reactions"]
        assert (found["count"], len(found["users"])) == (left, min(left, reactions.SHOWN))
        assert [found] == look()


async def test_a_user_adds_twenty_different_emoji_to_a_message_also_in_one_run(table: Table) -> None:
    message = await table.say(table.owner)
    asked: list[tuple[Command, Actor]] = [
        (AddReaction(room=table.room, message=message, emoji=one), who)
        for one in MANY[: MAX_OWN_REACTIONS + 3]
        for who in (table.owner, table.member)
    ]
    for run, expected in ((asked[:10], 10), (asked[10:], 2 * MAX_OWN_REACTIONS - 10), (asked[-6:], 0)):
        results = table.run(run)
        assert [type(one) for one in results] == [dict] * expected + [Conflict] * (len(run) - expected)


async def test_a_message_takes_fifty_different_emoji_and_no_more(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """One user stands for several: the limit of one is off, which is the control of the test above."""
    monkeypatch.setattr("hubbub.features.reactions.MAX_OWN_REACTIONS", MAX_REACTIONS + 5)
    message = await table.say(table.owner)
    asked: list[tuple[Command, Actor]] = [
        (AddReaction(room=table.room, message=message, emoji=one), table.owner) for one in MANY
    ]
    results = table.run(asked)
    assert [type(one) for one in results[:MAX_REACTIONS]] == [dict] * MAX_REACTIONS
    assert [type(one) for one in results[MAX_REACTIONS:]] == [Conflict] * 5
    one_past, there = MANY[MAX_REACTIONS], MANY[MAX_REACTIONS - 1]
    with pytest.raises(Conflict):
        await table.store.journal.submit(AddReaction(room=table.room, message=message, emoji=one_past), table.member)
    same = await table.store.journal.submit(AddReaction(room=table.room, message=message, emoji=there), table.member)
    assert same.answer
    for who in (table.owner, table.member):
        gone = RemoveReaction(room=table.room, message=message, emoji=there)
        assert (await table.store.journal.submit(gone, who)).answer
        assert (await table.store.journal.submit(gone, who)).answer == {}
    again = AddReaction(room=table.room, message=message, emoji=one_past)
    assert (await table.store.journal.submit(again, table.member)).answer


async def test_deleted_archived_and_invisible_messages_take_no_reactions(table: Table) -> None:
    submit = table.store.journal.submit
    early, gone = await table.say(table.owner), await table.say(table.owner)
    await submit(AddReaction(room=table.room, message=gone, emoji=HEART), table.member)
    await submit(DeleteMessage(room=table.room, message=gone), table.owner)
    assert table.store.rows("SELECT count(*) FROM reactions") == [(0,)]
    with pytest.raises(Conflict):
        await submit(AddReaction(room=table.room, message=gone, emoji=HEART), table.member)
    assert (await submit(RemoveReaction(room=table.room, message=gone, emoji=HEART), table.member)).answer == {}
    await submit(UpdateRoom(room=table.room, history="joined"), table.owner)
    await submit(JoinRoom(room=table.room), table.stranger)
    asked: list[tuple[Command, Actor]] = [
        (AddReaction(room=table.room, message=early, emoji=HEART), who) for who in (table.stranger, table.owner)
    ]
    results = table.run(asked)
    assert [type(one) for one in results] == [NotFound, dict]
    with pytest.raises(NotFound):
        table.store.database.read(listing, table.stranger.id, (table.room, early), 0, 10)
    await submit(ArchiveRoom(room=table.room), table.owner)
    for command in (AddReaction, RemoveReaction):
        with pytest.raises(Forbidden):
            await submit(command(room=table.room, message=early, emoji=HEART), table.owner)


async def test_reactions_are_listed_in_pages_in_the_order_they_were_added(table: Table) -> None:
    message = await table.say(table.owner)
    for who, emoji in ((table.member, HEART), (table.owner, THUMB), (table.owner, HEART)):
        await table.store.journal.submit(AddReaction(room=table.room, message=message, emoji=emoji), who)
    found: list[dict[str, Any]] = []
    for more in (True, True, False):
        after = found[-1]["seq"] if found else 0
        page: Any = table.store.database.read(listing, table.member.id, (table.room, message), after, 1)
        found += page["reactions"]
        assert page["more"] == more
    assert [(one["emoji"], one["name"]) for one in found] == [(HEART, "ben"), (THUMB, "anna"), (HEART, "anna")]


async def test_a_group_of_twenty_commands_costs_as_many_statements_as_one_of_two(table: Table) -> None:
    messages = [await table.say(table.owner) for _ in range(20)]
    costs = [statements(table, messages[:size]) for size in (2, 20)]
    assert costs[0] == costs[1]
    assert costs[0] == {"reaction.add": 4, "reaction.remove": 3, "room.read": 3, "rooms.read": 2, "message.send": 6}


def statements(table: Table, messages: list[int]) -> dict[str, int]:
    """Return how many statements each group takes.

    They run in a transaction that is rolled back. The last group moves no read position any more.
    The log takes one more at the end of a transaction, unless it has messages alone.
    """
    room = table.room
    runs: list[list[Command]] = [
        [AddReaction(room=room, message=one, emoji=THUMB) for one in messages],
        [RemoveReaction(room=room, message=one, emoji=THUMB) for one in messages],
        [ReadRoom(room=room, seq=one) for one in messages],
        [ReadRooms(rooms=(RoomRead(room=room, seq=one),)) for one in messages],
        [SendMessage(room=room, key=f"new {one}", body="@anna, @room") for one in messages],
    ]
    counts = {}
    with table.store.elsewhere() as connection:
        tx = Transaction(connection, Ids.load(connection), table.store.published[-1].seq)
        tx.lock([room_topic(room), user_topic(table.member.id)])
        for run in runs:
            seen: list[str] = []
            with watched(seen):
                HANDLERS[type(run[0])]([(command, table.member) for command in run], tx)
            counts[run[0].kind] = len(seen)
        connection.rollback()
    return counts


@contextmanager
def watched(seen: list[str]) -> Iterator[None]:
    """Append every hot statement that is run to `seen`."""
    run = Statement.run

    def noted(self: Statement, connection: Connection, **parameters: Any) -> Any:
        seen.append(self.compiled(connection.dialect)[0])
        return run(self, connection, **parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Statement, "run", noted)
        yield
