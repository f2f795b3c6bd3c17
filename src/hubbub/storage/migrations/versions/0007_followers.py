"""Followers: durable consumers of topics, their positions and their dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "followers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fence", Big, nullable=False),
        sa.Column("lease_until", Big, nullable=False),
        sa.Column("attempts", Big, nullable=False),
        sa.Column("failing_since", Big, nullable=True),
        sa.Column("next_attempt_at", Big, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", Big, nullable=True),
        sa.Column("replay_seq", Big, nullable=True),
        sa.Column("replay_after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "follower_positions",
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("attempts", Big, nullable=False),
        sa.Column("next_attempt_at", Big, nullable=True),
        sa.PrimaryKeyConstraint("follower", "topic"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letters",
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("attempts", Big, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("retry", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("follower", "topic", "seq"),
    )
