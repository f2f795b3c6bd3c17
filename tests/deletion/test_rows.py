"""What a deletion leaves in the tables, on each engine."""

from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, insert, select, update

from hubbub.domain.commands import AddReaction, AdmitIdentity, CreateRoom, DeleteAccount, PinMessage, SetStatus
from hubbub.domain.model import LOBBY, SYSTEM, Mentions, Role, room_topic, user_topic
from hubbub.storage import accounts, deletion, messages
from hubbub.storage.ids import Ids
from hubbub.storage.mentions import WHOLE_ROOM
from hubbub.storage.schema import (
    MESSAGE_KEPT,
    USER_KEPT,
    answers,
    identities,
    links,
    mentions,
    topics,
    users,
)
from hubbub.storage.schema import log as log_table
from hubbub.storage.schema import messages as messages_table
from hubbub.storage.transaction import Transaction
from tests.engine.conftest import Store
from tests.messages.conftest import Talk
from tests.messages.conftest import store as store
from tests.messages.conftest import talk as talk
from tests.messages.conftest import world as world

MARK = "kingfisher-nine"
PARTS = pytest.mark.parametrize("part", deletion.PARTS, ids=lambda part: part.table.name)


def row_of(table: Table, **values: Any) -> dict[str, Any]:
    """Return a row with all columns set, texts to MARK. Seqs of events come after the message's."""
    fillers: dict[type, Any] = {str: MARK, int: 1, bool: True}
    later = {column.name: 2**40 for column in table.columns if column.name.endswith("_seq")}
    return {
        column.name: (later | values).get(column.name, fillers[column.type.python_type]) for column in table.columns
    }


def count(connection: Connection, table: Table, **where: Any) -> int:
    query = select(func.count()).select_from(table)
    return connection.scalar(query.where(*(table.c[name] == value for name, value in where.items()))) or 0


@PARTS
async def test_deleting_a_message_deletes_its_part_and_not_that_of_others(talk: Talk, part: deletion.Part) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    deleted, other = await talk.say(alice, "one @bob"), await talk.say(alice, "two @bob")
    room = await talk.another(alice)
    elsewhere = [(room, deleted), (talk.room, other)]
    with talk.world.store.elsewhere() as connection:
        if part.table is not mentions:  # the messages have made these rows
            for of_room, seq in [(talk.room, deleted), *elsewhere]:
                connection.execute(insert(part.table).values(**row_of(part.table, room=of_room, seq=seq)))
        else:
            connection.execute(insert(mentions).values(user=bob.id, room=room, seq=deleted, author=alice.id))
    await talk.delete(alice, deleted)
    with talk.world.store.elsewhere() as connection:
        assert count(connection, part.table, room=talk.room, seq=deleted) == 0
        assert [count(connection, part.table, room=of_room, seq=seq) for of_room, seq in elsewhere] == [1, 1]


async def test_a_message_for_the_whole_room_loses_its_mention(talk: Talk) -> None:
    seq = await talk.say(talk.world.alice, "@room, look")
    with talk.world.store.elsewhere() as connection:
        assert count(connection, mentions, room=talk.room, seq=seq, user=WHOLE_ROOM) == 1
    await talk.delete(talk.world.alice, seq)
    with talk.world.store.elsewhere() as connection:
        assert count(connection, mentions, room=talk.room, seq=seq) == 0


async def test_only_kept_columns_of_a_deleted_message_keep_their_values(talk: Talk) -> None:
    """The columns are filled as if a later version had put text into all of them."""
    alice = talk.world.alice
    seq = await talk.say(alice, "one", reply_to=await talk.say(alice))
    place = (messages_table.c.room == talk.room, messages_table.c.seq == seq)
    mentioned = Mentions(users=[alice.id]).model_dump_json()
    texts = {"body": MARK, "digest": 5, "forwarded": MARK, "mentions": mentioned, "edited_at": 5}
    with talk.world.store.elsewhere() as connection:
        connection.execute(update(messages_table).where(*place).values(**texts))
        before = connection.execute(select(messages_table).where(*place)).one()._asdict()
    await talk.delete(alice, seq)
    with talk.world.store.elsewhere() as connection:
        after = connection.execute(select(messages_table).where(*place)).one()._asdict()
    before["sent_mentions"] = mentioned
    assert {name: after[name] for name in MESSAGE_KEPT} == {name: before[name] for name in MESSAGE_KEPT}
    rest = {name: value for name, value in after.items() if name not in MESSAGE_KEPT}
    assert rest.pop("deleted_at") is not None
    assert set(rest.values()) == {None}


@pytest.mark.parametrize("fault", ["kept", "parts"])
async def test_a_deletion_that_keeps_more_is_noticed(talk: Talk, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """The negative control of the tests of this file."""
    alice = talk.world.alice
    seq = await talk.say(alice, MARK)
    await talk.edit(alice, seq, f"{MARK} again")
    if fault == "kept":
        monkeypatch.setattr(messages, "MESSAGE_KEPT", MESSAGE_KEPT | {"body"})
    else:
        monkeypatch.setattr(deletion, "PARTS", deletion.PARTS[1:])
    await talk.delete(alice, seq)
    assert MARK in str(
        talk.world.store.rows("SELECT body FROM messages") + talk.world.store.rows("SELECT body FROM edits")
    )


@PARTS
async def test_a_guest_who_left_a_part_of_a_message_is_not_removed_completely(
    store: Store, part: deletion.Part
) -> None:
    guest = await store.person("gast", Role.GUEST)
    with store.elsewhere() as connection:
        assert not accounts.left_something(connection, guest.id)
        if part.by is None:
            return
        row = row_of(part.table, room=LOBBY, seq=1, **{part.by.name: guest.id})
        connection.execute(insert(part.table).values(**row))
        assert accounts.left_something(connection, guest.id)
        assert not deletion.left_something(connection, guest.id, LOBBY + 1)


async def test_a_page_shows_the_parts_of_its_messages_alone(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    first, second = await talk.say(alice), await talk.say(alice)
    await talk.do(alice, PinMessage(room=talk.room, message=second))
    await talk.do(bob, AddReaction(room=talk.room, message=second, emoji="👍"))
    shown = {one["seq"]: one for one in talk.page(bob)["messages"]}
    assert [(shown[seq]["pinned"], len(shown[seq]["reactions"])) for seq in (first, second)] == [(False, 0), (True, 1)]


async def test_a_deleted_account_leaves_kept_columns_and_no_texts_of_its_own(talk: Talk) -> None:
    alice, bob = talk.world.alice, talk.world.bob
    identity = AdmitIdentity(issuer="host", subject="17", name=MARK, role=Role.MEMBER)
    await talk.world.do(identity, SYSTEM)
    ((made,),) = talk.world.store.rows("SELECT \"user\" FROM identities WHERE subject = '17'")
    carol = talk.world.carol
    await talk.do(carol, SetStatus(status="away", text=MARK))
    await talk.do(carol, CreateRoom(kind="private", name="Hers", description=MARK, key=f"{MARK} key"))
    await talk.do(carol, SetStatus(status="away", text="another"))
    await talk.say(bob, "hello @carol")
    with talk.world.store.elsewhere() as connection:
        connection.execute(insert(links).values(token_hash=MARK, purpose="reset", user=carol.id, created_at=1))
        before = connection.execute(select(users).where(users.c.id == carol.id)).one()._asdict()
        assert count(connection, answers, author=carol.id) == 1
    topic = user_topic(carol.id)
    assert MARK in str(talk.world.store.rows(f"SELECT text FROM log WHERE topic = '{topic}'"))
    for user in (carol.id, int(str(made))):
        await talk.do(SYSTEM, DeleteAccount(user=user))
    with talk.world.store.elsewhere() as connection:
        for column in deletion.OWN:
            assert count(connection, column.table, **{column.name: carol.id}) == 0, column
        after = connection.execute(select(users).where(users.c.id == carol.id)).one()._asdict()
        assert {name: after[name] for name in USER_KEPT} == {name: before[name] for name in USER_KEPT}
        assert (after["password_hash"], after["disabled"], "carol" in str(after)) == (None, True, False)
        assert connection.execute(select(identities.c.subject, identities.c.name)).all() == [("17", "")]
        head, floor = connection.execute(select(topics.c.head, topics.c.floor).where(topics.c.topic == topic)).one()
        rest = connection.scalars(
            select(log_table.c.seq).where(log_table.c.topic == topic).order_by(log_table.c.seq)
        ).all()
    assert list(rest) == list(range(floor + 1, head + 1)), "the log has no gap"
    assert MARK not in str(talk.world.store.rows(f"SELECT text FROM log WHERE topic = '{topic}'"))
    assert MARK in str(talk.world.store.rows("SELECT text FROM log")), "the room's own log has its description"
    assert (await talk.world.do(identity, SYSTEM)) == {}, "the identity gets no new account"
    assert alice.id in {row[0] for row in talk.world.store.rows("SELECT id FROM users WHERE NOT disabled")}


async def test_a_transaction_that_deletes_a_message_notes_that_it_erased_text(talk: Talk) -> None:
    seq = await talk.say(talk.world.alice, MARK)
    with talk.world.store.elsewhere() as connection:
        tx = Transaction(connection, Ids.load(connection), 2**41)
        tx.lock([room_topic(talk.room)])
        old = messages.find(connection, talk.room, seq)
        assert old is not None
        assert not tx.erased
        messages.erase(tx, talk.room, seq, old, None)
        assert tx.erased
        connection.rollback()
