"""Conversations: kinds of rooms, and what belongs to messages and members.

Adds edits, pins, reactions, mentions, bans, statuses and invites to rooms.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _columns()
    _tables_of_messages()
    _tables_of_people()


def _columns() -> None:
    for name, default in (("topic", ""), ("description", ""), ("history", "all")):
        op.add_column("rooms", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    op.add_column("rooms", sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("rooms", sa.Column("people", sa.Text()))
    op.create_index("rooms_people", "rooms", ["people"], unique=True)
    for name in ("favourite", "muted"):
        op.add_column("members", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("forwarded", "mentions"):
        op.add_column("messages", sa.Column(name, sa.Text()))
    for name in ("reply_to", "text_seq", "edited_at", "deleted_at"):
        op.add_column("messages", sa.Column(name, BIG))
    edited = sa.text("text_seq > 0")
    op.create_index("messages_edited", "messages", ["room", "seq"], sqlite_where=edited, postgresql_where=edited)
    op.add_column("invites", sa.Column("room", BIG))
    op.add_column("invites", sa.Column("signup", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("invites", sa.Column("used_at", BIG))
    for name in ("room", "created_by"):
        op.create_index(f"invites_{name}", "invites", [name])


def _tables_of_messages() -> None:
    op.create_table(
        "edits",
        sa.Column("room", BIG, primary_key=True),
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("version", BIG, primary_key=True),
        sa.Column("at", BIG, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "pins",
        sa.Column("room", BIG, primary_key=True),
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("pinned_seq", BIG, nullable=False),
        sa.Column("by", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
    )
    op.create_table(
        "reactions",
        sa.Column("room", BIG, primary_key=True),
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("emoji", sa.Text(), primary_key=True),
        sa.Column("user", BIG, primary_key=True),
        sa.Column("added_seq", BIG, nullable=False),
        sa.Column("first_seq", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("reactions_user", "reactions", ["user", "room"])
    op.create_table(
        "mentions",
        sa.Column("user", BIG, primary_key=True),
        sa.Column("room", BIG, primary_key=True),
        sa.Column("seq", BIG, primary_key=True),
        sa.Column("author", BIG, nullable=False),
        sqlite_with_rowid=False,
    )


def _tables_of_people() -> None:
    op.create_table(
        "bans",
        sa.Column("room", BIG, sa.ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user", BIG, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("by", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("bans_user", "bans", ["user"])
    op.create_table(
        "statuses",
        sa.Column("user", BIG, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("emoji", sa.Text()),
        sa.Column("until", BIG),
    )
