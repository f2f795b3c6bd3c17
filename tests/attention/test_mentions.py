"""Mentions of sent, edited and deleted messages, and their counts."""

from typing import Any

import orjson
import pytest

from hubbub.domain import rules
from hubbub.domain.commands import (
    Command,
    DeleteMessage,
    EditMessage,
    JoinRoom,
    LeaveRoom,
    ReadRoom,
    SendMessage,
    UnreadRoom,
)
from hubbub.domain.model import Actor, Role
from hubbub.domain.text import LOUD_MEMBERS, MAX_HERE, MENTIONS_COUNTED
from hubbub.storage import members, rooms
from tests.attention.conftest import Table, seq


def counted(table: Table, who: Actor) -> int | None:
    """Return how many unread mentions `who` has in the room."""
    seen = table.store.database.read(rooms.find_visible, who.id, table.room)
    return None if seen is None else seen.mention_count


def told(table: Table, kind: str) -> list[dict[str, Any]]:
    """Return the logged events of a type that the room received."""
    return [orjson.loads(entry.text) for entry in table.store.published if entry.event.type == kind]


def calls(users: list[int], *, room: bool = False, here: bool = False) -> dict[str, object]:
    return {"users": users, "room": room, "here": here}


async def test_named_members_are_mentioned_and_counted(table: Table) -> None:
    other = await table.store.person("dora_")
    await table.store.journal.submit(JoinRoom(room=table.room), other)
    await table.say(table.owner, "@BEN, @dora_. and @carla and @nobody and `@ben` and @anna")
    (event,) = told(table, "message.sent")
    assert event["mentions"] == calls([table.member.id, other.id, table.owner.id])
    assert [counted(table, who) for who in (table.member, other, table.owner)] == [1, 1, 0]
    assert counted(table, table.stranger) is None
    await table.say(table.owner, "an address such as mail@ben mentions no user")
    assert "mentions" not in told(table, "message.sent")[-1]
    await table.say(table.owner, "@ben once, @Ben twice")
    assert counted(table, table.member) == 2
    position = ReadRoom(room=table.room, seq=event["seq"])
    await table.store.journal.submit(position, table.member)
    assert counted(table, table.member) == told(table, "room.read_moved")[-1]["mention_count"] == 1
    await table.say(table.member, "I have read it all")
    assert counted(table, table.member) == 0
    await table.store.journal.submit(UnreadRoom(room=table.room, message=event["seq"]), table.member)
    assert counted(table, table.member) == told(table, "room.read_moved")[-1]["mention_count"] == 2


async def test_a_room_mention_counts_for_members_except_the_author_and_later_members(table: Table) -> None:
    place = await table.say(table.member, "@room and @ben and @anna")
    assert told(table, "message.sent")[0]["mentions"] == calls([table.member.id, table.owner.id], room=True)
    assert (counted(table, table.owner), counted(table, table.member)) == (1, 0)
    await table.store.journal.submit(JoinRoom(room=table.room), table.stranger)
    for who in (table.stranger, table.member):
        await table.store.journal.submit(UnreadRoom(room=table.room, message=place), who)
        assert counted(table, who) == 0


async def test_edits_and_deletions_change_the_mention_count(table: Table) -> None:
    place = await table.say(table.owner, "hello")
    submit = table.store.journal.submit
    expected = [("hello @ben", calls([table.member.id])), ("@room", calls([], room=True)), ("bye", None)]
    before = None
    for body, after in expected:
        await submit(EditMessage(room=table.room, message=place, body=body), table.owner)
        event = told(table, "message.edited")[-1]
        assert (event.get("mentioned"), event.get("mentions")) == (before, after)
        assert counted(table, table.member) == (after is not None)
        before = after
    await submit(EditMessage(room=table.room, message=place, body="@ben @room"), table.owner)
    assert counted(table, table.member) == 1
    await submit(DeleteMessage(room=table.room, message=place), table.owner)
    assert told(table, "message.deleted")[-1]["mentioned"] == calls([table.member.id], room=True)
    assert counted(table, table.member) == 0
    assert table.store.rows("SELECT count(*) FROM mentions") == [(0,)]


async def test_a_reply_mentions_the_author_it_answers_and_an_edit_keeps_that(table: Table) -> None:
    submit = table.store.journal.submit
    question = await table.say(table.member, "who has the key?")
    own = await table.say(table.owner, "let me see")

    async def reply(body: str, to: int, who: Actor = table.owner) -> dict[str, Any]:
        table.said += 1
        await submit(SendMessage(room=table.room, key=f"r{table.said}", body=body, reply_to=to), who)
        return told(table, "message.sent")[-1]

    first = await reply("I have", question)
    assert first["mentions"] == calls([table.member.id])
    assert counted(table, table.member) == 1
    assert (await reply("@ben, I have", question))["mentions"] == calls([table.member.id])
    assert (await reply("@room", question))["mentions"] == calls([table.member.id], room=True)
    assert counted(table, table.member) == 3
    assert "mentions" not in await reply("I answer myself", own)
    assert "mentions" not in await reply("so do I", question, table.member)
    await submit(UnreadRoom(room=table.room, message=first["seq"]), table.member)
    for body in ("I had", "@ben had", "she had"):
        await submit(EditMessage(room=table.room, message=first["seq"], body=body), table.owner)
        event = told(table, "message.edited")[-1]
        assert event["mentions"] == event["mentioned"] == calls([table.member.id]), body
        assert counted(table, table.member) == 3, body
    await submit(DeleteMessage(room=table.room, message=first["seq"]), table.owner)
    assert counted(table, table.member) == 2


async def test_a_reply_to_a_former_member_mentions_no_user_also_after_an_edit(table: Table) -> None:
    submit = table.store.journal.submit
    question = await table.say(table.member, "who has the key?")
    before = SendMessage(room=table.room, key="before", body="I have", reply_to=question)
    place = seq((await submit(before, table.owner)).answer)
    await submit(LeaveRoom(room=table.room), table.member)
    await submit(EditMessage(room=table.room, message=place, body="I had"), table.owner)
    await submit(SendMessage(room=table.room, key="after", body="gone", reply_to=question), table.owner)
    assert "mentions" not in told(table, "message.edited")[-1]
    assert "mentions" not in told(table, "message.sent")[-1]
    assert table.store.rows("SELECT count(*) FROM mentions") == [(0,)]


async def test_here_mentions_the_online_members_and_an_edit_keeps_them(table: Table) -> None:
    command = SendMessage(room=table.room, key="here", body="lunch, @here?")
    command.note_online([table.owner.id, table.member.id])
    place = seq((await table.store.journal.submit(command, table.owner)).answer)
    assert told(table, "message.sent")[0]["mentions"] == calls([table.member.id], here=True)
    assert counted(table, table.member) == 1
    edit = EditMessage(room=table.room, message=place, body="dinner, @here?")
    edit.note_online([])
    await table.store.journal.submit(edit, table.owner)
    assert told(table, "message.edited")[0]["mentions"] == calls([table.member.id], here=True)
    crowd = SendMessage(room=table.room, key="crowd", body="@here")
    crowd.note_online(range(1, MAX_HERE + 2))
    await table.store.journal.submit(crowd, table.owner)
    assert told(table, "message.sent")[1]["mentions"] == calls([], room=True, here=True)


async def test_an_edit_lists_members_mentioned_by_here_even_if_named_ones_exceed_the_limit(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.features.shared.mentions.MAX_HERE", 1)
    dora = await table.store.person("dora")
    await table.store.journal.submit(JoinRoom(room=table.room), dora)
    command = SendMessage(room=table.room, key="here", body="@here and @dora: lanch")
    command.note_online([table.member.id])
    place = seq((await table.store.journal.submit(command, table.owner)).answer)
    await table.store.journal.submit(
        EditMessage(room=table.room, message=place, body="@here and @dora: lunch"), table.owner
    )
    (event,) = told(table, "message.edited")
    assert event["mentions"] == event["mentioned"] == calls([dora.id, table.member.id], here=True)


async def test_an_edit_keeps_loud_mentions_that_its_author_may_no_longer_make(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = await table.say(table.member, "@room pleese, and @here")
    here = SendMessage(room=table.room, key="here", body="@here")
    here.note_online([table.owner.id])
    there = seq((await table.store.journal.submit(here, table.member)).answer)
    crowd = SendMessage(room=table.room, key="crowd", body="@here")
    crowd.note_online(range(1, MAX_HERE + 2))
    many = seq((await table.store.journal.submit(crowd, table.member)).answer)
    monkeypatch.setattr(rules, "LOUD_MEMBERS", 1)
    now = await table.say(table.member, "@room and @here")
    edits = [
        (both, "@room please, and @here", calls([], room=True, here=True)),
        (both, "@here", calls([], here=True)),
        (there, "@here! @room!", calls([table.owner.id], here=True)),
        (many, "@here!", calls([], room=True, here=True)),
        (many, "nobody", None),
        (now, "@room, @here", None),
    ]
    for place, body, after in edits:
        await table.store.journal.submit(EditMessage(room=table.room, message=place, body=body), table.member)
        assert told(table, "message.edited")[-1].get("mentions") == after, body
    assert counted(table, table.owner) == 1


async def test_an_edit_that_removes_a_name_beside_here_removes_that_mention(table: Table) -> None:
    dora = await table.store.person("dora")
    await table.store.journal.submit(JoinRoom(room=table.room), dora)
    command = SendMessage(room=table.room, key="here", body="@ben @here")
    command.note_online([dora.id])
    place = seq((await table.store.journal.submit(command, table.owner)).answer)
    assert (counted(table, table.member), counted(table, dora)) == (1, 1)
    edit = EditMessage(room=table.room, message=place, body="hello @here")
    edit.note_online([table.member.id])
    await table.store.journal.submit(edit, table.owner)
    assert told(table, "message.edited")[0]["mentions"] == calls([dora.id], here=True)
    assert (counted(table, table.member), counted(table, dora)) == (0, 1)


async def test_here_does_not_mention_users_who_are_not_members(table: Table) -> None:
    command = SendMessage(room=table.room, key="here", body="@here")
    command.note_online([table.member.id, table.stranger.id])
    await table.store.journal.submit(command, table.owner)
    assert told(table, "message.sent")[0]["mentions"] == calls([table.member.id], here=True)
    assert table.store.rows('SELECT "user" FROM mentions') == [(table.member.id,)]


@pytest.mark.parametrize("strangers", [0, 2 * MAX_HERE], ids=["few", "many"])
async def test_here_mentions_members_who_are_online_on_other_nodes(table: Table, strangers: int) -> None:
    """Of those it is not known whether they are members, and how many of them are does count."""
    crowd = [table.stranger.id + 1_000 + number for number in range(strangers)]
    command = SendMessage(room=table.room, key="here", body="@here")
    command.note_online([], [*crowd, table.stranger.id, table.member.id][-1 - strangers :])
    await table.store.journal.submit(command, table.owner)
    assert told(table, "message.sent")[0]["mentions"] == calls([table.member.id], here=True)
    assert table.store.rows('SELECT "user" FROM mentions') == [(table.member.id,)]


async def test_here_mentions_the_room_if_too_many_members_are_online_on_all_nodes(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.features.shared.mentions.MAX_HERE", 1)
    dora = await table.store.person("dora")
    await table.store.journal.submit(JoinRoom(room=table.room), dora)
    for key, here, elsewhere, expected in (
        ("one", [], [table.member.id, table.stranger.id], calls([table.member.id], here=True)),
        ("two", [dora.id], [table.member.id], calls([], room=True, here=True)),
        ("all", [], [dora.id, table.member.id, table.owner.id, 5], calls([], room=True, here=True)),
    ):
        command = SendMessage(room=table.room, key=key, body="@here")
        command.note_online(here, elsewhere)
        await table.store.journal.submit(command, table.owner)
        assert told(table, "message.sent")[-1]["mentions"] == expected


async def test_here_of_authors_without_the_right_asks_for_no_members(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def asking(_connection: object, room: int, *_rest: object) -> list[int]:
        asked.append(room)
        return []

    monkeypatch.setattr(members, "some_among", asking)
    for text in ("@here", "@ben"):
        command = SendMessage(room=table.room, key=text, body=text)
        command.note_online([], [table.member.id])
        await table.store.journal.submit(command, table.owner)
    assert asked == [table.room], "once, for the text with @here"
    monkeypatch.setattr("hubbub.domain.rules.may_mention_room", lambda *_: False)
    command = SendMessage(room=table.room, key="may not", body="@here")
    command.note_online([], [table.member.id])
    await table.store.journal.submit(command, table.owner)
    assert asked == [table.room]


def test_clients_cannot_set_who_is_online_in_a_message() -> None:
    asked = {"room": 1, "key": "k", "body": "@here", "here": [1], "_here": [1]}
    sent = SendMessage.model_validate(asked)
    edited = EditMessage.model_validate({**asked, "message": 1})
    assert {sent.online, edited.online} == {()}
    sent.note_online([7])
    assert sent.online == (7,)
    assert SendMessage.model_validate(asked).online == ()


async def test_in_a_large_room_only_moderators_may_mention_everyone(table: Table) -> None:
    crowd = [await table.store.person(f"guest{number}") for number in range(LOUD_MEMBERS - 2)]
    for user in crowd:
        await table.store.journal.submit(JoinRoom(room=table.room), user)
    await table.say(table.member, "@room")
    assert told(table, "message.sent")[-1]["mentions"] == calls([], room=True)
    one_more = await table.store.person("more", Role.ADMIN)
    await table.store.journal.submit(JoinRoom(room=table.room), one_more)
    await table.say(table.member, "@room @here @anna")
    assert told(table, "message.sent")[-1]["mentions"] == calls([table.owner.id])
    await table.say(table.member, "@room")
    assert "mentions" not in told(table, "message.sent")[-1]
    for who in (one_more, table.owner):
        await table.say(who, "@room")
        assert told(table, "message.sent")[-1]["mentions"] == calls([], room=True)


async def test_leaving_a_room_removes_the_members_mentions(table: Table) -> None:
    await table.say(table.owner, "@ben")
    await table.store.journal.submit(LeaveRoom(room=table.room), table.member)
    await table.store.journal.submit(JoinRoom(room=table.room), table.member)
    assert counted(table, table.member) == 0
    assert table.store.rows("SELECT count(*) FROM mentions") == [(0,)]


async def test_mentions_are_counted_up_to_a_hundred(table: Table) -> None:
    for count in (MENTIONS_COUNTED - 1, 1, 1):
        asked: list[tuple[Command, Actor]] = [
            (SendMessage(room=table.room, key=f"{table.said}-{number}", body="@ben"), table.owner)
            for number in range(count)
        ]
        table.said += 1
        table.run(asked)
        assert counted(table, table.member) == min(MENTIONS_COUNTED, len(told(table, "message.sent")))
