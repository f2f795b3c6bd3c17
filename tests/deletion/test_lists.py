"""Every field and column of users' content is classified: it stays after a deletion, or it goes."""

import pytest
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, false

from hubbub.domain.events import EVENTS, Event, MessageEdited, MessageSent
from hubbub.storage import deletion
from hubbub.storage.schema import MESSAGE_KEPT, USER_KEPT, messages, metadata, users
from tests.support import text_fields

ERASED_COLUMNS = {
    "messages": {"digest", "body", "forwarded", "mentions", "edited_at", "deleted_at"},
    "users": {"name", "skeleton", "search_key", "role", "password_hash", "disabled", "deleted_at"},
}
KEPT_TEXT_COLUMNS = {"messages": {"key", "sent_mentions"}, "users": set[str]()}
"""`key` recognises a retry of the command, for ever. `sent_mentions` has ids of users: clients that
catch up count by it."""

FROM_MESSAGE: dict[type[Event], set[str]] = {
    MessageSent: {"name", "key", "body", "forwarded.name"}, MessageEdited: {"body"},
}  # fmt: skip
"""Fields with text that no log stores: the row of the message has them, and loses all but `key`."""

IN_LOG = {
    "message.pinned": {"name"},
    "message.unpinned": {"name"},
    "reaction.added": {"name", "emoji"},
    "reaction.removed": {"name", "emoji"},
    "member.joined": {"user_name"},
    "member.left": {"user_name"},
    "member.removed": {"user_name"},
    "member.banned": {"user_name"},
    "member.unbanned": {"user_name"},
    "member.role_changed": {"user_name"},
    "room.created": {"name", "details.name", "details.topic", "details.description", "details.members.[].name"},
    "room.updated": {"name", "changes.name", "changes.topic", "changes.description"},
    "room.archived": {"name"},
    "room.restored": {"name"},
    "room.added": {"details.name", "details.topic", "details.description", "details.members.[].name"},
    "room.removed": {"reason"},
    "status.changed": {"status.text", "status.emoji"},
    "follower.changed": {"follower"},
    "setting.changed": {"setting", "value"},
    "site.updated": {"changes.name"},
    "session.opened": {"session", "details.id", "details.client"},
    "session.closed": {"session"},
    "session.revoked": {"session"},
}
"""Text in entries of logs. It stays until the log is trimmed, or in a user's own log
until their account is deleted. docs/operations.md says so."""

NOT_PARTS = {
    "messages": "the messages themselves",
    "log": "its entries have no text of messages",
    "follower_positions": "the positions of followers, without text",
    "dead_letters": "positions that a follower gave up; the reason never contains text of messages",
    "webhook_attempts": "attempts to send events, without what was sent; a webhook keeps its last ones",
}
"""Tables with rows about a seq of a room that are no parts of a message."""

NOT_OWN = {
    "identities.user": "the identity stays without its name, so that it gets no new account",
    "sessions.user": "the handler ends sessions, with events",
    "rooms.created_by": "an id; the room belongs to its members",
    "members.user": "the handler ends memberships, with events",
    "messages.author": "messages stay under a neutral name",
    "pins.by": "an id; pins belong to their messages",
    "reactions.user": "an id; reactions belong to their messages",
    "mentions.author": "an id; the row belongs to the mentioned user and the message",
    "participants.user": "the others still see who took part, under the neutral name",
    "bans.by": "an id; the ban belongs to the banned user",
    "followers.owner": "a process of the server, no user",
    "webhooks.responsible": "an id; as `created_by`",
    "webhooks.created_by": "an id; the webhook belongs to its room or the site, and the server pauses it",
    "statuses.user": "the handler clears the status, with an event",
}
"""Columns that name a user whose deletion does not delete the row by itself."""


@pytest.mark.parametrize(("table", "kept"), [(messages, MESSAGE_KEPT), (users, USER_KEPT)], ids=["messages", "users"])
def test_each_column_stays_or_is_erased(table: Table, kept: frozenset[str]) -> None:
    names = {column.name for column in table.columns}
    assert names == kept | ERASED_COLUMNS[table.name], "classify the new column here; it is erased unless it is kept"
    assert not kept & ERASED_COLUMNS[table.name]
    texts = {column.name for column in table.columns if isinstance(column.type, Text)}
    assert texts & kept == KEPT_TEXT_COLUMNS[table.name]


def test_an_erased_column_becomes_null_or_its_default() -> None:
    table = Table(
        "made", MetaData(), Column("id", Integer, primary_key=True), Column("body", Text),
        Column("title", Text, nullable=False, server_default=""), Column("loud", Boolean, nullable=False, default=True),
        Column("shut", Boolean, nullable=False, server_default=false()), Column("at", Integer, nullable=False),
    )  # fmt: skip
    found = deletion.erased(table, frozenset({"id"}), at=7)
    assert {name: str(value) for name, value in found.items()} == {
        "body": "None", "title": "", "loud": "True", "shut": "false", "at": "7",
    }  # fmt: skip
    with pytest.raises(TypeError, match="at has neither NULL nor a default"):
        deletion.erased(table, frozenset({"id"}))


@pytest.mark.parametrize("event", FROM_MESSAGE)
def test_no_log_stores_the_text_of_a_message(event: type[Event]) -> None:
    texts = {".".join(path) for path in text_fields.of_event(event)}
    assert texts == FROM_MESSAGE[event], f"read the new text of {event.type} from the row of the message"


def test_each_text_of_another_event_is_known_to_stay_in_the_log() -> None:
    found = {
        event.type: {".".join(path) for path in texts}
        for event in EVENTS
        if event not in FROM_MESSAGE and (texts := text_fields.of_event(event))
    }
    assert found == IN_LOG, "store the new text elsewhere, or list it here and in docs/operations.md"


def test_each_table_about_messages_is_deleted_with_them_or_excluded() -> None:
    about = {table.name for table in metadata.sorted_tables if {"room", "seq"} <= set(table.columns.keys())}
    about |= {table.name for table in metadata.sorted_tables if {"topic", "seq"} <= set(table.columns.keys())}
    parts = [part.table.name for part in deletion.PARTS]
    assert about == {*parts, *NOT_PARTS}, "add the new table to deletion.PARTS, or exclude it here"
    assert len(set(parts)) == len(parts)
    assert not set(parts) & set(NOT_PARTS)


@pytest.mark.parametrize("part", deletion.PARTS, ids=lambda part: part.table.name)
def test_a_shown_part_has_one_row_for_each_message(part: deletion.Part) -> None:
    if part.shown is not None:
        assert set(part.table.primary_key.columns.keys()) == {"room", "seq"}
    assert all(column is None or column.table is part.table for column in (part.by, part.shown))


def test_each_column_that_names_a_user_is_deleted_with_the_account_or_excluded() -> None:
    names = {"user", "by", "author", "created_by", "owner", "responsible", "actor"}
    found = {
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name in names or any(key.column.table is users for key in column.foreign_keys)
    }
    own = {str(column) for column in deletion.OWN}
    assert found == own | set(NOT_OWN), "add the new column to deletion.OWN, or exclude it here"
    assert not own & set(NOT_OWN)
