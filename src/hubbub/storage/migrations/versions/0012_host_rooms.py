"""Rooms of the host application's objects, and its bots."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("bot", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "host_rooms",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("room", BIG, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
        sa.UniqueConstraint("room", name="host_rooms_room"),
    )
