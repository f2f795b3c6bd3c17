"""Whether a client has used the newest tokens of a session."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE sessions ADD COLUMN confirmed BOOLEAN NOT NULL DEFAULT 1 "
            "CONSTRAINT sessions_confirmed CHECK (confirmed IN (0, 1))"
        )
    else:
        op.add_column("sessions", sa.Column("confirmed", sa.Boolean(), nullable=False, server_default=sa.true()))
