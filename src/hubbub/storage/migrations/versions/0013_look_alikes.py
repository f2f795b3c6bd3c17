"""Skeletons and search keys fold every character that looks like an ASCII letter, also Latin ones.

Where two names become alike, the ASCII name keeps the skeleton, else the older one. The other name
keeps a skeleton of its own, so that its user can still log in.
"""

import sqlalchemy as sa
from alembic import op

from hubbub.domain.names import plain, search_key, skeleton

revision = "0013"
down_revision = "0011"

PAGE = 5_000


def upgrade() -> None:
    for name in ("users", "rooms"):
        columns = [sa.column(each) for each in ("id", "name", "skeleton", "search_key")]
        _change(op.get_bind(), sa.table(name, *columns))


def _change(connection: sa.Connection, table: sa.TableClause) -> None:
    """Recompute the rows whose keys have changed. Names in ASCII keep theirs."""
    changed: list[dict[str, object]] = []
    last = 0
    query = sa.select(table.c.id, table.c.name, table.c.skeleton, table.c.search_key)
    while rows := connection.execute(query.where(table.c.id > last).order_by(table.c.id).limit(PAGE)).all():
        last = rows[-1].id
        for row in rows:
            wanted = None if row.skeleton is None else skeleton(row.name)
            if (wanted, search_key(row.name)) != (row.skeleton, row.search_key):
                changed.append({"which": row.id, "key": search_key(row.name), "name": row.name, "wanted": wanted})
    for row in changed:
        update = sa.update(table).where(table.c.id == row["which"])
        connection.execute(update.values(search_key=row["key"]))
        if row["wanted"] is not None:
            # Its own first: no other name has it, and it can stay where the wanted one is taken.
            connection.execute(update.values(skeleton=plain(str(row["name"]))))
    for row in changed:
        taken = sa.select(table.c.id).where(table.c.skeleton == row["wanted"])
        if row["wanted"] is not None and connection.scalar(taken) is None:
            connection.execute(sa.update(table).where(table.c.id == row["which"]).values(skeleton=row["wanted"]))
