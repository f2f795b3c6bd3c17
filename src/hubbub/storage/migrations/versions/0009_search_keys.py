"""Search keys: users and rooms are found by any part of their names."""

import sqlalchemy as sa
from alembic import op

from hubbub.domain.names import search_key

revision = "0009"
down_revision = "0008"

PAGE = 5_000
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for name, columns in (("users", ("name", "role", "disabled")), ("rooms", ("kind", "archived"))):
        op.add_column(name, sa.Column("search_key", BYTEWISE, nullable=False, server_default=""))
        _fill(op.get_bind(), sa.table(name, sa.column("id"), sa.column("name"), sa.column("search_key")))
        op.create_index(f"{name}_search_key", name, ["search_key", *columns])


def _fill(connection: sa.Connection, table: sa.TableClause) -> None:
    change = sa.update(table).where(table.c.id == sa.bindparam("which")).values(search_key=sa.bindparam("key"))
    last = 0
    while rows := connection.execute(
        sa.select(table.c.id, table.c.name).where(table.c.id > last).order_by(table.c.id).limit(PAGE)
    ).all():
        connection.execute(change, [{"which": row.id, "key": search_key(row.name)} for row in rows])
        last = rows[-1].id
