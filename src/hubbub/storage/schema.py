"""The tables. The topic or the room stands in every key of the big ones (`log`, `messages`); times are milliseconds.

Ids of big tables are made in the application, in time order, so that rows are appended: a clustered (room, seq) key
with a random second index was four times slower. No triggers, no stored procedures, no global counters.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
Big = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY is SQLite's own row id

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

topics = Table(
    "topics",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("head", Big, nullable=False),
    Column("floor", Big, nullable=False),
    Column("n", Big, nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("seq", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("type", Text, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("topic", "seq", name="log_topic_seq"),
)

users = Table(
    "users",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("skeleton", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Big, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), unique=True),
    Column("name", Text, nullable=False),
    Column("revoked", Big, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("browser", Boolean, nullable=False),
    Column("token_hash", Text, unique=True),
    Column("generation", Big, nullable=False, default=0),
    Column("rotated_at", Big, nullable=False),
    Column("client", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("last_seen_at", Big, nullable=False),
    Column("expires_at", Big, nullable=False),
    Index("sessions_user", "user"),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("skeleton", Text, unique=True),
    Column("created_by", Big),
    Column("created_at", Big, nullable=False),
    Column("members", Big, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("joined_seq", Big, nullable=False),
    Column("joined_at", Big, nullable=False),
    Column("read_seq", Big, nullable=False),
    Column("read_n", Big, nullable=False),
    Index("members_user", "user", "room"),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("room", Big, nullable=False),
    Column("seq", Big, nullable=False),
    Column("n", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("author", Big, nullable=False),
    Column("key", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("body", Text),
    UniqueConstraint("room", "seq", name="messages_room_seq"),
    UniqueConstraint("room", "author", "key", name="messages_room_author_key"),
)

answers = Table(
    "answers",
    metadata,
    Column("author", Big, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("uses", Big, nullable=False),
    Column("max_uses", Big),
    Column("created_by", Big, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user", Big),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
)
