"""A page of history: its messages are those of the contract, in a constant number of statements."""

from typing import Any

import orjson
import pytest
from sqlalchemy import event

from hubbub.domain.commands import AddReaction, MessagePage
from hubbub.domain.model import Message
from hubbub.domain.text import MAX_BODY_CHARACTERS, MAX_ID, MAX_PAGE_BYTES
from hubbub.features import messages
from hubbub.features.shared import pages
from hubbub.storage.database import Statement
from tests.messages.conftest import Talk
from tests.messages.conftest import talk as talk

OVERHEAD = 1_024
"""Bytes of a page without its items, at most."""


async def everything(talk: Talk) -> dict[str, int]:
    """Send a message of each kind, and return their seqs."""
    alice, bob = talk.world.alice, talk.world.bob
    elsewhere = await talk.another(alice, bob)
    original = await talk.say(alice, "original", elsewhere)
    seqs = {"plain": await talk.say(alice), "mention": await talk.say(alice, "hello @bob")}
    seqs |= {"reply": await talk.say(bob, reply_to=seqs["plain"]), "edited": await talk.say(bob)}
    seqs |= {"deleted": await talk.say(bob), "room": await talk.say(alice, "@room, look")}
    seqs["forwarded"] = await talk.forward(alice, talk.room, elsewhere, original)
    await talk.edit(bob, seqs["edited"], "edited")
    await talk.delete(bob, seqs["deleted"])
    await talk.pin(alice, seqs["plain"])
    for who, emoji in ((alice, "👍"), (bob, "👍"), (bob, "🎉")):
        await talk.do(who, AddReaction(room=talk.room, message=seqs["plain"], emoji=emoji))
    return seqs


def as_model(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message as the model of the contract dumps it: without absent fields."""
    model = Message.model_validate(message)
    return {**model.model_dump(exclude_none=True), "body": model.body}


async def test_messages_of_a_page_are_those_of_the_model(talk: Talk) -> None:
    seqs = await everything(talk)
    page = talk.page(talk.world.bob)
    found = {message["seq"]: message for message in page["messages"]}
    assert found.keys() == set(seqs.values())
    for message in [*page["messages"], *page["quotes"]]:
        assert message == as_model(message)
        assert message == talk.one(talk.world.bob, message["seq"])
    own = {name: found[seq].keys() for name, seq in seqs.items()}
    rare = {"edited_at", "reply_to", "forwarded", "mentions"}
    assert {name: sorted(keys & rare) for name, keys in own.items()} == {
        "plain": [], "mention": ["mentions"], "reply": ["mentions", "reply_to"], "edited": ["edited_at"], "deleted": [],
        "room": ["mentions"], "forwarded": ["forwarded"],
    }  # fmt: skip
    assert found[seqs["plain"]]["reactions"] == [
        {"emoji": "👍", "count": 2, "mine": True, "users": [talk.world.alice.id, talk.world.bob.id]},
        {"emoji": "🎉", "count": 1, "mine": True, "users": [talk.world.bob.id]},
    ]
    assert [(found[seqs[name]]["deleted"], found[seqs[name]]["body"]) for name in ("deleted", "edited")] == [
        (True, None), (False, "edited")
    ]  # fmt: skip
    assert [message["pinned"] for message in page["messages"]] == [seq == seqs["plain"] for seq in sorted(found)]


async def test_quotes_are_the_messages_replied_to_inside_and_outside_of_the_page(talk: Talk) -> None:
    alice = talk.world.alice
    far, near = await talk.say(alice, "far"), await talk.say(alice, "near")
    one = await talk.say(alice, reply_to=near)
    two = await talk.say(alice, reply_to=far)
    page = talk.page(alice, limit=3)
    assert [message["seq"] for message in page["messages"]] == [near, one, two]
    assert [(quote["seq"], quote["body"]) for quote in page["quotes"]] == [(far, "far"), (near, "near")]
    assert talk.page(alice, after=near, limit=1)["quotes"][0]["seq"] == near


async def test_a_page_takes_no_more_statements_for_fifty_messages_than_for_two(talk: Talk, monkeypatch: Any) -> None:
    for number in range(60):
        await talk.say(talk.world.alice, reply_to=None if number < 30 else number)
    await everything(talk)
    executed: list[str] = []
    run = Statement.run

    def counting(self: Statement, *args: Any, **parameters: Any) -> Any:
        executed.append(str(parameters))
        return run(self, *args, **parameters)

    def counted(*args: Any) -> None:
        executed.append(args[2])

    monkeypatch.setattr(Statement, "run", counting)
    event.listen(talk.world.store.database.reader, "before_cursor_execute", counted)
    counts = []
    for limit in (2, 50):
        executed.clear()
        page = talk.read(messages.page, talk.world.bob.id, MessagePage(room=talk.room, before=67, limit=limit))
        assert isinstance(page["messages"], list)
        assert len(page["messages"]) == limit
        counts.append(len(executed))
    assert counts == [6, 5], "membership, page, later, quotes from elsewhere, reactions, head"


async def long_messages(talk: Talk, number: int) -> list[int]:
    """Send messages that take more bytes as JSON than as text, every other one a reply to the first."""
    seqs: list[int] = []
    for index in range(number):
        reply_to = seqs[0] if index % 2 else None
        seqs.append(await talk.say(talk.world.alice, "\x01" * (MAX_BODY_CHARACTERS - index), reply_to=reply_to))
    return seqs


async def test_pages_of_long_messages_end_by_bytes_and_lose_none(talk: Talk) -> None:
    seqs = await long_messages(talk, 14)
    forwards, backwards, after, before = list[int](), list[int](), 0, MAX_ID
    while True:
        page = talk.page(talk.world.bob, after=after)
        assert len(orjson.dumps(page)) <= MAX_PAGE_BYTES + OVERHEAD
        forwards += (after := message["seq"] for message in page["messages"])
        if not page["more"]["after"]:
            break
    while True:
        page = talk.page(talk.world.bob, before=before)
        assert len(orjson.dumps(page)) <= MAX_PAGE_BYTES + OVERHEAD
        backwards += (before := message["seq"] for message in reversed(page["messages"]))
        if not page["more"]["before"]:
            break
    assert forwards == seqs
    assert backwards == seqs[::-1]
    for near in seqs:
        page = talk.page(talk.world.bob, around=near)
        found = [message["seq"] for message in page["messages"]]
        assert near in found
        assert seqs[seqs.index(found[0]) : seqs.index(found[-1]) + 1] == found
        assert page["more"] == {"before": found[0] != seqs[0], "after": found[-1] != seqs[-1]}
        assert len(orjson.dumps(page)) <= MAX_PAGE_BYTES + OVERHEAD
        replied = {message["reply_to"] for message in page["messages"] if "reply_to" in message}
        assert {quote["seq"] for quote in page["quotes"]} == replied


async def test_lists_of_pins_and_of_edits_end_by_bytes(talk: Talk) -> None:
    seqs = await long_messages(talk, 10)
    for seq in seqs:
        await talk.pin(talk.world.alice, seq)
        await talk.edit(talk.world.alice, seqs[0], f"{seq}" + "\x01" * 7_000)
    pins, before = list[int](), None
    while True:
        page = talk.pins(talk.world.bob, before)
        assert len(orjson.dumps(page)) <= MAX_PAGE_BYTES + OVERHEAD
        pins += (pin["message"]["seq"] for pin in page["pins"])
        if not page["more"]:
            break
        before = page["pins"][-1]["seq"]
    assert pins == seqs[::-1]
    edits, after = list[int](), 0
    while True:
        page = talk.edits(talk.world.alice, seqs[0], after)
        assert len(orjson.dumps(page)) <= MAX_PAGE_BYTES + OVERHEAD
        edits += (edit["version"] for edit in page["edits"])
        if not page["more"]:
            break
        after = edits[-1]
    assert len(edits) == len(set(edits)) == len(seqs)


async def test_control_a_page_without_that_bound_is_found(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_BYTES", 2**30)
    with pytest.raises(AssertionError):
        await test_pages_of_long_messages_end_by_bytes_and_lose_none(talk)
