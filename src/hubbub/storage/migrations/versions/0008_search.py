"""The search index: blocks of messages with their tokens. The server fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "search_state",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        *(sa.Column(name, BIG, nullable=False) for name in ("tokeniser", "low", "high", "done", "total")),
    )
    op.create_table(
        "search_recent",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("room", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("tokens", sa.Text(), nullable=False),
    )
    op.create_table(
        "search_blocks",
        sa.Column("block", BIG, primary_key=True, autoincrement=False),
        *(sa.Column(name, BIG, nullable=False) for name in ("first", "last", "first_at", "last_at")),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.Column("rooms", sa.LargeBinary(), nullable=False),
    )
    heads = ["last", "first", "first_at", "last_at", "block"]
    op.create_index("search_blocks_heads", "search_blocks", heads)
    op.create_table(
        "search_chunks",
        sa.Column("block", BIG, primary_key=True),
        sa.Column("token", sa.LargeBinary(), primary_key=True),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
    )
