"""Who put members into rooms; skeletons and search keys fold all that looks like an ASCII letter.

Where two names become alike, the ASCII name keeps the skeleton, else the older one. The other name
keeps a skeleton of its own, so that its user can still log in.
"""

import sqlalchemy as sa
from alembic import op

from hubbub.domain.names import plain, search_key, skeleton

revision = "0013"
down_revision = "0012"

PAGE = 5_000
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("members", sa.Column("added_by", BIG, nullable=True))
    for name in ("users", "rooms"):
        columns = [sa.column(each, sa.Text()) for each in ("name", "skeleton", "search_key")]
        _change(op.get_bind(), sa.table(name, sa.column("id", sa.BigInteger()), *columns))


def _change(connection: sa.Connection, table: sa.TableClause) -> None:
    """Recompute the rows whose keys have changed. Names in ASCII keep theirs."""
    unique: list[tuple[int, str]] = []
    last = 0
    query = sa.select(table.c.id, table.c.name, table.c.skeleton, table.c.search_key)
    while rows := connection.execute(query.where(table.c.id > last).order_by(table.c.id).limit(PAGE)).all():
        last = rows[-1].id
        for row in rows:
            update = sa.update(table).where(table.c.id == row.id)
            if (key := search_key(row.name)) != row.search_key:
                connection.execute(update.values(search_key=key))
            if row.skeleton is not None and (wanted := skeleton(row.name)) != row.skeleton:
                # Its own first: no other name has it, and it can stay where the wanted one is taken.
                connection.execute(update.values(skeleton=plain(row.name)))
                unique.append((row.id, wanted))
    for changed, wanted in unique:
        if connection.scalar(sa.select(table.c.id).where(table.c.skeleton == wanted)) is None:
            connection.execute(sa.update(table).where(table.c.id == changed).values(skeleton=wanted))
