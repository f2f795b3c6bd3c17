"""Whether a client has used the newest tokens of a session."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # PostgreSQL has a type for truth values. Alembic puts the check of a column into ADD COLUMN.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    checks = [sa.CheckConstraint("confirmed IN (0, 1)", name="sessions_confirmed")] if is_sqlite else []
    op.add_column("sessions", sa.Column("confirmed", sa.Boolean(), *checks, nullable=False, server_default=sa.true()))
