"""Rooms of the host application's objects, and its bots."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # PostgreSQL has a type for truth values. Alembic puts the check of a column into ADD COLUMN.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    checks = [sa.CheckConstraint("bot IN (0, 1)", name="users_bot")] if is_sqlite else []
    op.add_column("users", sa.Column("bot", sa.Boolean(), *checks, nullable=False, server_default=sa.false()))
    op.create_table(
        "host_rooms",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("room", BIG, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
        sa.UniqueConstraint("room", name="host_rooms_room"),
    )
