"""Webhooks, their last attempts, and how far back a follower may go."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("follower_positions", sa.Column("first", BIG, nullable=False, server_default="0"))
    op.create_table(
        "webhooks",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("room", BIG, sa.ForeignKey("rooms.id", ondelete="CASCADE")),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("rotated_at", BIG),
        sa.Column("created_by", BIG, nullable=False),
        sa.Column("responsible", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("paused_reason", sa.Text()),
        sa.CheckConstraint("(previous_secret IS NULL) = (rotated_at IS NULL)", name="webhooks_rotated"),
    )
    op.create_index("webhooks_room", "webhooks", ["room"])
    op.create_table(
        "webhook_attempts",
        sa.Column("webhook", BIG, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("room", BIG),
        sa.Column("seq", BIG),
        sa.Column("status", BIG),
        sa.Column("milliseconds", BIG, nullable=False),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("(room IS NULL) = (seq IS NULL)", name="webhook_attempts_place"),
        sqlite_with_rowid=False,
    )
