"""One home: the text of a message is in its row alone, which is also the entry of its `message.sent`.

Rebuilds `messages` and `log`. Positions, times and texts stay. All of it is one transaction, on both
engines. SQLite overwrites the pages of the former tables (`secure_delete`) and reuses them.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAGE = 1_000
"""Rows in memory at a time, each of at most 64 KiB."""
ENVELOPE = ("topic", "seq", "type", "at")

old_log = sa.table("old_log", *(sa.column(name) for name in ("id", "topic", "seq", "at", "type", "text")))
log = sa.table("log", *(sa.column(name) for name in ("topic", "seq", "at", "tx", "type", "message", "text")))
messages = sa.table("messages", *(sa.column(name) for name in ("room", "seq", "mentions", "sent_mentions")))


def upgrade() -> None:
    connection = op.get_bind()
    for table in ("messages", "log"):
        _rename(connection, table)
    _create()
    _copy_messages(connection)
    _copy_log(connection)
    _note_mentions(connection)
    for table in ("messages", "log"):
        op.drop_table(f"old_{table}")


def _rename(connection: sa.Connection, table: str) -> None:
    """Rename a table, and on PostgreSQL its indexes, whose names the new table needs."""
    op.rename_table(table, f"old_{table}")
    if connection.dialect.name == "postgresql":
        named = sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :table")
        for name in connection.scalars(named, {"table": f"old_{table}"}).all():
            connection.execute(sa.text(f'ALTER INDEX "{name}" RENAME TO "old_{name}"'))


def _create() -> None:
    op.create_table(
        "log",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("tx", BIG, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("message", BIG),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "seq"),
        sa.CheckConstraint("(message IS NULL) = (type <> 'message.edited')", name="log_message"),
    )
    op.create_table(
        "messages",
        sa.Column("room", BIG, autoincrement=False, nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("n", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("id", BIG, nullable=False),
        sa.Column("author", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", BIG),
        sa.Column("body", sa.Text()),
        sa.Column("reply_to", BIG),
        sa.Column("forwarded", sa.Text()),
        sa.Column("mentions", sa.Text()),
        sa.Column("sent_mentions", sa.Text()),
        sa.Column("edited_at", BIG),
        sa.Column("deleted_at", BIG),
        sa.PrimaryKeyConstraint("room", "seq"),
        sa.UniqueConstraint("room", "author", "key", name="messages_room_author_key"),
        sa.CheckConstraint("body IS NOT NULL OR deleted_at IS NOT NULL", name="messages_body"),
    )
    op.create_index("messages_id", "messages", ["id"])


def _copy_messages(connection: sa.Connection) -> None:
    """Copy all rows, in the order in which they were written.

    The digest of a text that is still there becomes 64 bits of the former 256.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.create_function("first_bits", 1, _first_bits, deterministic=True)
        digest = "first_bits(hash)"
    else:
        digest = "CASE WHEN hash ~ '^[0-9a-f]{64}$' THEN ('x' || left(hash, 16))::bit(64)::bigint END"
    same = "room, seq, n, at, {}author, key, {}body, reply_to, forwarded, mentions, edited_at, deleted_at"
    shown = f"CASE WHEN deleted_at IS NULL THEN {digest} END, "
    op.execute(
        f"INSERT INTO messages ({same.format('id, ', 'digest, ')})"  # noqa: S608
        f" SELECT {same.format('id, ', shown)} FROM old_messages ORDER BY id"
    )


def _first_bits(digest: str) -> int | None:
    try:
        return int.from_bytes(bytes.fromhex(digest)[:8], signed=True)
    except ValueError:
        return None


def _copy_log(connection: sa.Connection) -> None:
    """Copy all entries but the `message.sent`, without envelopes and texts of messages."""
    others = old_log.c.type != "message.sent"
    after = 0
    while True:
        page = sa.select(old_log).where(others, old_log.c.id > after).order_by(old_log.c.id).limit(PAGE)
        rows = connection.execute(page).all()
        if not rows:
            return
        connection.execute(sa.insert(log), [_entry(row) for row in rows])
        after = rows[-1].id


def _entry(row: Any) -> dict[str, Any]:
    edited = row.type == "message.edited"
    left_out = (*ENVELOPE, "body") if edited else ENVELOPE
    fields = json.loads(row.text)
    own = {name: value for name, value in fields.items() if name not in left_out}
    return {
        "topic": row.topic, "seq": row.seq, "at": row.at, "tx": row.id, "type": row.type,
        "message": fields["message"] if edited else None,
        "text": json.dumps(own, ensure_ascii=False, separators=(",", ":")),
    }  # fmt: skip


def _note_mentions(connection: sa.Connection) -> None:
    """Note which users messages mentioned when they were sent, where later edits or deletions changed that.

    Messages without an entry were sent before the log was trimmed: no client asks for theirs.
    """
    changed = sa.text(
        "SELECT m.room, m.seq, m.mentions, o.id, o.text FROM old_messages m"
        " JOIN old_log o ON o.topic = 'room:' || m.room AND o.seq = m.seq"
        " WHERE (m.edited_at IS NOT NULL OR m.deleted_at IS NOT NULL) AND o.id > :after"
        " ORDER BY o.id LIMIT :page"
    )
    place = (messages.c.room == sa.bindparam("of_room"), messages.c.seq == sa.bindparam("at_seq"))
    note = sa.update(messages).where(*place).values(sent_mentions=sa.bindparam("sent"))
    after = 0
    while True:
        rows = connection.execute(changed, {"after": after, "page": PAGE}).all()
        if not rows:
            return
        noted = []
        for room, seq, present, _, text in rows:
            found = json.loads(text).get("mentions")
            sent = "" if found is None else json.dumps(found, separators=(",", ":"))
            if sent != (present or ""):
                noted.append({"of_room": room, "at_seq": seq, "sent": sent})
        if noted:
            connection.execute(note, noted)
        after = rows[-1].id
