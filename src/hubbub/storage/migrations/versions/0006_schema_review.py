"""Checks, foreign keys and indexes; deleted accounts and direct rooms without codes in texts.

A deleted account gets `deleted_at` in place of a skeleton that begins with `#`, and direct rooms
get `participants` in place of a list of ids. On SQLite the tables are rebuilt, since it can't add
constraints. All of it is one transaction: after a crash or on a full disk nothing has changed.

No version of Hubbub wrote rows that break a check. If there are any, the migration goes on:

- An unknown role becomes `member`, an unknown kind of room `private`, an unknown history `joined`,
  so that no user gets more rights. So do a public room without a unique name, and a direct room
  without its list of users.
- Numbers out of their range get the nearest possible value; numbers of members are counted again.
- Sessions, statuses, one-time tokens, invites, pins, reactions and mentions are deleted if they make
  no sense, or belong to a user or room that does not exist.
"""

import hashlib
import time
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAGE = 1_000
"""Rows in memory at a time."""
ROLES = "'owner', 'admin', 'member', 'guest'"
ROOM_ROLES = "'owner', 'moderator', 'member'"
KINDS = "'public', 'private', 'direct'"
HISTORIES = "'all', 'joined'"
STATUSES = "'online', 'away', 'dnd', 'invisible'"
PURPOSES = "'setup', 'reset'"
FLAGS = {
    "users": ["disabled"],
    "sessions": ["browser"],
    "rooms": ["archived"],
    "members": ["favourite", "muted"],
    "invites": ["signup"],
}
CHECKS = {
    "users": {
        "users_role": f"role IN ({ROLES})",
        "users_skeleton": "(deleted_at IS NULL) = (skeleton IS NOT NULL)",
        "users_deleted": "deleted_at IS NULL OR (disabled AND password_hash IS NULL)",
    },
    "identities": {"identities_revoked": "revoked >= 0"},
    "sessions": {
        "sessions_token_hash": "browser = (token_hash IS NOT NULL)",
        "sessions_generation": "generation >= 0",
    },
    "rooms": {
        "rooms_kind": f"kind IN ({KINDS})",
        "rooms_history": f"history IN ({HISTORIES})",
        "rooms_members": "members >= 0",
        "rooms_skeleton": "(kind = 'public') = (skeleton IS NOT NULL)",
        "rooms_direct": "(kind = 'direct') = (direct_key IS NOT NULL)",
    },
    "members": {
        "members_role": f"role IN ({ROOM_ROLES})",
        "members_positions": "joined_seq >= 1 AND read_seq >= 0 AND read_n >= 0",
    },
    "pins": {"pins_seqs": "seq >= 1 AND pinned_seq > seq"},
    "reactions": {"reactions_seqs": "seq >= 1 AND first_seq > seq AND added_seq >= first_seq"},
    "mentions": {"mentions_seqs": '"user" >= 0 AND seq >= 1'},
    "statuses": {"statuses_status": f"status IN ({STATUSES})"},
    "invites": {
        "invites_uses": "uses >= 0 AND max_uses >= 1 AND uses <= max_uses",
        "invites_used_at": "(uses = 0) = (used_at IS NULL)",
    },
    "links": {
        "links_purpose": f"purpose IN ({PURPOSES})",
        "links_user_of_reset": "(purpose = 'reset') = (\"user\" IS NOT NULL)",
    },
}
"""As they were at this revision, on both databases. A later one changes them by a migration."""
INDEXES: list[tuple[str, str, list[str], str | None]] = [
    ("users_guests", "users", ["created_at"], "role = 'guest' AND deleted_at IS NULL"),
    ("users_owners", "users", ["id"], "role = 'owner'"),
    ("sessions_expires", "sessions", ["expires_at"], None),
    ("answers_created", "answers", ["created_at"], None),
    ("invites_expires", "invites", ["expires_at"], None),
    ("invites_used_up", "invites", ["used_at"], "uses >= max_uses"),
    ("links_user", "links", ["user"], None),
    ("links_expires", "links", ["expires_at"], None),
    ("participants_user", "participants", ["user"], None),
]
REBUILT_INDEXES: list[tuple[str, str, list[str], str | None]] = [
    ("sessions_user", "sessions", ["user"], None),
    ("members_user", "members", ["user", "room"], None),
    ("bans_user", "bans", ["user"], None),
    ("reactions_user", "reactions", ["user", "room"], None),
    ("invites_room", "invites", ["room"], None),
    ("invites_created_by", "invites", ["created_by"], None),
]
"""Indexes that SQLite loses with the tables."""
KEPT_SKELETON = "CASE WHEN deleted_at IS NULL THEN skeleton END"
MEND = f"""\
UPDATE users SET role = 'member' WHERE role NOT IN ({ROLES});
UPDATE users SET deleted_at = :now, disabled = TRUE, password_hash = NULL WHERE skeleton LIKE '#%';
UPDATE identities SET revoked = 0 WHERE revoked < 0;
DELETE FROM sessions WHERE browser <> (token_hash IS NOT NULL) OR generation < 0;
UPDATE rooms SET history = 'joined' WHERE history NOT IN ({HISTORIES});
UPDATE rooms SET kind = 'private' WHERE kind NOT IN ({KINDS}) OR (kind = 'public' AND skeleton IS NULL);
UPDATE rooms SET skeleton = NULL WHERE kind <> 'public';
UPDATE rooms SET members = (SELECT count(*) FROM members WHERE room = rooms.id) WHERE members < 0;
UPDATE members SET role = 'member' WHERE role NOT IN ({ROOM_ROLES});
UPDATE members SET joined_seq = 1 WHERE joined_seq < 1;
UPDATE members SET read_seq = 0 WHERE read_seq < 0;
UPDATE members SET read_n = 0 WHERE read_n < 0;
DELETE FROM pins WHERE seq < 1 OR pinned_seq <= seq;
DELETE FROM reactions WHERE seq < 1 OR first_seq <= seq OR added_seq < first_seq;
DELETE FROM mentions WHERE "user" < 0 OR seq < 1;
DELETE FROM statuses WHERE status NOT IN ({STATUSES});
DELETE FROM links WHERE purpose NOT IN ({PURPOSES}) OR (purpose = 'reset') <> ("user" IS NOT NULL);
DELETE FROM links WHERE "user" IS NOT NULL AND "user" NOT IN (SELECT id FROM users);
DELETE FROM invites WHERE max_uses < 1 OR (room IS NOT NULL AND room NOT IN (SELECT id FROM rooms));
UPDATE invites SET uses = 0 WHERE uses < 0;
UPDATE invites SET uses = max_uses WHERE uses > max_uses;
UPDATE invites SET used_at = created_at WHERE uses > 0 AND used_at IS NULL;
UPDATE invites SET used_at = NULL WHERE uses = 0;
UPDATE answers SET created_at = :now
"""  # noqa: S608  all values are constants of this file
"""`deleted_at` is not known of accounts that were deleted before; it becomes the present time. So
does the time of answers, which are then kept as long as new ones."""


def upgrade() -> None:
    connection = op.get_bind()
    _add_columns()
    if connection.dialect.name == "sqlite":
        for table, columns in FLAGS.items():
            for column in columns:
                connection.execute(sa.text(f"UPDATE {table} SET {column} = TRUE WHERE {column} NOT IN (0, 1)"))  # noqa: S608
    now = round(time.time() * 1_000)
    for statement in MEND.split(";\n"):
        text = sa.text(statement)
        connection.execute(text, {"now": now} if ":now" in statement else {})
    participants = list(_set_direct_keys(connection))
    if connection.dialect.name == "sqlite":
        _rebuild(connection)
    else:
        _alter(connection)
    into = sa.table("participants", sa.column("room"), sa.column("user"))
    for start in range(0, len(participants), PAGE):
        connection.execute(sa.insert(into), participants[start : start + PAGE])


def _add_columns() -> None:
    op.add_column("users", sa.Column("deleted_at", BIG))
    op.add_column("rooms", sa.Column("direct_key", sa.Text()))
    op.add_column("answers", sa.Column("created_at", BIG))


def _set_direct_keys(connection: sa.Connection) -> Iterator[dict[str, int]]:
    """Set the keys of direct rooms, and yield their participants that exist.

    A direct room without a list of ids becomes private.
    """
    rooms = sa.table("rooms", *(sa.column(name) for name in ("id", "kind", "people", "direct_key")))
    users = sa.table("users", sa.column("id"))
    after = 0
    while True:
        page = sa.select(rooms.c.id, rooms.c.people).where(rooms.c.kind == "direct", rooms.c.id > after)
        found = connection.execute(page.order_by(rooms.c.id).limit(PAGE)).all()
        if not found:
            return
        after = found[-1].id
        people = {id_: _ids(text) for id_, text in found}
        wanted = sorted({user for ids in people.values() for user in ids or []})
        existing: set[int] = set()
        for start in range(0, len(wanted), PAGE):
            some = sa.select(users.c.id).where(users.c.id.in_(wanted[start : start + PAGE]))
            existing |= set(connection.scalars(some))
        for room, ids in people.items():
            values = {"kind": "private"} if ids is None else {"direct_key": direct_key(ids)}
            connection.execute(sa.update(rooms).where(rooms.c.id == room).values(**values))
            yield from ({"room": room, "user": user} for user in ids or [] if user in existing)


def _ids(text: str | None) -> list[int] | None:
    try:
        return sorted(set(map(int, (text or "").split(","))))
    except ValueError:
        return None


def direct_key(ids: list[int]) -> str:
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()


def _alter(connection: sa.Connection) -> None:
    """Change the tables of PostgreSQL in place."""
    op.alter_column("users", "skeleton", nullable=True)
    connection.execute(sa.text(f"UPDATE users SET skeleton = {KEPT_SKELETON}"))  # noqa: S608
    op.drop_index("rooms_people", "rooms")
    op.drop_column("rooms", "people")
    op.create_unique_constraint("rooms_direct_key", "rooms", ["direct_key"])
    op.alter_column("answers", "created_at", nullable=False)
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.create_check_constraint(name, table, condition)
    op.create_foreign_key(None, "invites", "rooms", ["room"], ["id"], ondelete="CASCADE")
    op.create_foreign_key(None, "links", "users", ["user"], ["id"], ondelete="CASCADE")
    op.create_table("participants", *_columns("")["participants"])
    _create_indexes(INDEXES)


def _rebuild(connection: sa.Connection) -> None:
    """Copy the tables of SQLite into new ones, and rename these.

    The new tables refer to each other by their temporary names until all old ones are gone, so that
    nothing is deleted with a table that it refers to. SQLite renames the references, too.
    """
    _refuse_other_references(connection)
    columns = _columns("new_")
    rebuilt = {name: op.create_table(f"new_{name}", *made, **_options(name)) for name, made in columns.items()}
    for name, table in rebuilt.items():
        if name != "participants":
            names = [column.name for column in table.columns]
            values = [KEPT_SKELETON if (name, each) == ("users", "skeleton") else f'"{each}"' for each in names]
            into = ", ".join(f'"{each}"' for each in names)
            copy = f"INSERT INTO new_{name} ({into}) SELECT {', '.join(values)} FROM {name}"  # noqa: S608
            connection.execute(sa.text(copy))
    for name in reversed(rebuilt):
        if name != "participants":
            op.drop_table(name)
    for name in rebuilt:
        op.rename_table(f"new_{name}", name)
    _create_indexes(INDEXES + REBUILT_INDEXES)


def _refuse_other_references(connection: sa.Connection) -> None:
    """Raise if a table that is not rebuilt refers to one that is: its rows would be deleted."""
    rebuilt = _columns("").keys()
    inspector = sa.inspect(connection)
    for table in set(inspector.get_table_names()) - rebuilt:
        referred = {key["referred_table"] for key in inspector.get_foreign_keys(table)} & rebuilt
        if referred:
            raise RuntimeError(f"The table {table} refers to {', '.join(sorted(referred))}. Rebuild it, too.")


def _create_indexes(indexes: list[tuple[str, str, list[str], str | None]]) -> None:
    for name, table, columns, condition in indexes:
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _options(table: str) -> dict[str, bool]:
    without = ("members", "participants", "reactions", "mentions")
    return {"sqlite_with_rowid": False} if table in without else {}


def _big(name: str, *more: object, null: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, *more, nullable=null, primary_key=key, autoincrement=False)  # type: ignore[arg-type]


def _text(name: str, *, null: bool = False, key: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null, primary_key=key, server_default=default)


def _flag(name: str, default: sa.ColumnElement[bool] | None = None) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=default)


def _columns(prefix: str) -> dict[str, list[sa.schema.SchemaItem]]:
    """Return the columns and constraints of the tables, each after those it refers to."""

    def refer(table: str) -> sa.ForeignKey:
        return sa.ForeignKey(f"{prefix}{table}.id", ondelete="CASCADE")

    tables: dict[str, list[sa.schema.SchemaItem]] = {
        "users": [
            _big("id", key=True), _text("name"), _text("skeleton", null=True), _text("role"),
            _text("password_hash", null=True), _flag("disabled"), _big("created_at"), _big("deleted_at", null=True),
            sa.UniqueConstraint("skeleton"),
        ],
        "identities": [
            _text("issuer", key=True), _text("subject", key=True), _big("user", refer("users"), null=True),
            _text("name"), _big("revoked"), sa.UniqueConstraint("user"),
        ],
        "sessions": [
            _text("id", key=True), _big("user", refer("users")), _flag("browser"), _text("token_hash", null=True),
            _big("generation"), _big("rotated_at"), _text("client"), _big("created_at"), _big("last_seen_at"),
            _big("expires_at"), sa.UniqueConstraint("token_hash"),
        ],
        "rooms": [
            _big("id", key=True), _text("kind"), _text("name"), _text("skeleton", null=True),
            _big("created_by", null=True), _big("created_at"), _big("members"), _text("topic", default=""),
            _text("description", default=""), _text("history", default="all"), _flag("archived", sa.false()),
            _text("direct_key", null=True), sa.UniqueConstraint("skeleton"),
            sa.UniqueConstraint("direct_key", name="rooms_direct_key"),
        ],
        "participants": [_big("room", refer("rooms"), key=True), _big("user", refer("users"), key=True)],
        "members": [
            _big("room", refer("rooms"), key=True), _big("user", refer("users"), key=True), _text("role"),
            _big("joined_seq"), _big("joined_at"), _big("read_seq"), _big("read_n"),
            _flag("favourite", sa.false()), _flag("muted", sa.false()),
        ],
        "pins": [
            _big("room", key=True), _big("seq", key=True), _big("pinned_seq"), _big("by"), _big("at"),
        ],
        "reactions": [
            _big("room", key=True), _big("seq", key=True), _text("emoji", key=True), _big("user", key=True),
            _big("added_seq"), _big("first_seq"),
        ],
        "mentions": [_big("user", key=True), _big("room", key=True), _big("seq", key=True), _big("author")],
        "bans": [
            _big("room", refer("rooms"), key=True), _big("user", refer("users"), key=True), _big("by"), _big("at"),
            _text("reason"),
        ],
        "statuses": [
            _big("user", refer("users"), key=True), _text("status"), _text("text"), _text("emoji", null=True),
            _big("until", null=True),
        ],
        "answers": [
            _big("author", key=True), _text("kind", key=True), _text("key", key=True), _text("hash"), _text("answer"),
            _big("created_at"),
        ],
        "invites": [
            _text("id", key=True), _text("token_hash"), _big("uses"), _big("max_uses", null=True),
            _big("created_by"), _big("created_at"), _big("expires_at", null=True),
            _big("room", refer("rooms"), null=True), _flag("signup", sa.true()), _big("used_at", null=True),
            sa.UniqueConstraint("token_hash"),
        ],
        "links": [
            _text("token_hash", key=True), _text("purpose"), _big("user", refer("users"), null=True),
            _big("created_at"), _big("expires_at", null=True),
        ],
    }  # fmt: skip
    if prefix:
        for table, items in tables.items():
            items += [sa.CheckConstraint(each, name=name) for name, each in CHECKS.get(table, {}).items()]
            items += [sa.CheckConstraint(f"{each} IN (0, 1)", name=f"{table}_{each}") for each in FLAGS.get(table, [])]
    return tables
