"""The tables. All times are in milliseconds.

Every key of the big tables (`log`, `messages`) contains the topic or the room. Ids of big tables
are made in the application, in time order, so that rows are appended: a clustered (room, seq) key
with a random second index was four times slower. There are no triggers, no stored procedures and no
global counters.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData()
Big = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY is SQLite's own rowid
Bytewise = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its bytes, as in SQLite. The order of a language ignores some characters."""

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
    Column("search_key", Bytewise, nullable=False, server_default=""),
    Index("users_search_key", "search_key", "name", "role", "disabled"),
)
"""The index has all columns that the search for users reads."""
USER_KEPT = frozenset({"id", "created_at"})
"""The columns that stay of a deleted account. All others are erased, new ones too."""

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
    Column("topic", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("history", Text, nullable=False, server_default="all"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("people", Text),
    Column("search_key", Bytewise, nullable=False, server_default=""),
    Index("rooms_people", "people", unique=True),
    Index("rooms_search_key", "search_key", "kind", "archived"),
)
"""`people` are the ids of the members of a direct room, sorted and joined by commas."""

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
    Column("favourite", Boolean, nullable=False, server_default=false()),
    Column("muted", Boolean, nullable=False, server_default=false()),
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
    Column("reply_to", Big),
    Column("forwarded", Text),
    Column("mentions", Text),
    Column("text_seq", Big),
    Column("edited_at", Big),
    Column("deleted_at", Big),
    UniqueConstraint("room", "seq", name="messages_room_seq"),
    UniqueConstraint("room", "author", "key", name="messages_room_author_key"),
    Index("messages_edited", "room", "seq", sqlite_where=text("text_seq > 0"), postgresql_where=text("text_seq > 0")),
)
"""`text_seq` is the seq of the one log row that holds the text: null means the message's own seq, 0
means none. `forwarded` and `mentions` are JSON as on the wire. The index `messages_edited` has the
messages whose text is in the entry of an edit."""
MESSAGE_KEPT = frozenset({"id", "room", "seq", "n", "at", "author", "key", "hash", "reply_to"})
"""The columns that stay of a deleted message. All others are erased, new ones too. `key` and `hash`,
a digest of the text, recognise a retry of the command that sent it."""

edits = Table(
    "edits",
    metadata,
    Column("room", Big, primary_key=True),
    Column("seq", Big, primary_key=True),
    Column("version", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("body", Text, nullable=False),
)
"""Earlier versions of messages. `seq` is that of the message, `version` counts from 1."""

pins = Table(
    "pins",
    metadata,
    Column("room", Big, primary_key=True),
    Column("seq", Big, primary_key=True),
    Column("pinned_seq", Big, nullable=False),
    Column("by", Big, nullable=False),
    Column("at", Big, nullable=False),
)
"""`pinned_seq` is the seq of the pin in the room's log."""

reactions = Table(
    "reactions",
    metadata,
    Column("room", Big, primary_key=True),
    Column("seq", Big, primary_key=True),
    Column("emoji", Text, primary_key=True),
    Column("user", Big, primary_key=True),
    Column("added_seq", Big, nullable=False),
    Column("first_seq", Big, nullable=False),
    Index("reactions_user", "user", "room"),
    sqlite_with_rowid=False,
)
"""`seq` is that of the message. `added_seq` is the seq of the reaction in the room's log; it orders
the users of an emoji. `first_seq` orders the emoji: it is the seq of the emoji's first use, and is
kept after the first user has removed the reaction, as long as at least one user has it."""

mentions = Table(
    "mentions",
    metadata,
    Column("user", Big, primary_key=True),
    Column("room", Big, primary_key=True),
    Column("seq", Big, primary_key=True),
    Column("author", Big, nullable=False),
    sqlite_with_rowid=False,
)
"""One row per mentioned user. User 0 means the whole room except the author. Unread mentions are
counted from this table alone."""

bans = Table(
    "bans",
    metadata,
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("by", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("reason", Text, nullable=False),
    Index("bans_user", "user"),
)

statuses = Table(
    "statuses",
    metadata,
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("emoji", Text),
    Column("until", Big),
)
"""The statuses that users have chosen. A user without a row has chosen "online"."""

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
    Column("room", Big),
    Column("signup", Boolean, nullable=False, server_default=true()),
    Column("used_at", Big),
    Index("invites_room", "room"),
    Index("invites_created_by", "created_by"),
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

followers = Table(
    "followers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("owner", Text),
    Column("fence", Big, nullable=False),
    Column("lease_until", Big, nullable=False),
    Column("attempts", Big, nullable=False),
    Column("failing_since", Big),
    Column("next_attempt_at", Big),
    Column("last_error", Text),
    Column("last_error_at", Big),
    Column("replay_seq", Big),
    Column("replay_after", Text),
)
"""`replay_seq` is set while the positions in all topics are set back to it; `replay_after` is the last
topic that is done. `scope` is a topic, or the beginning of topics, which ends with a colon. `owner` is the process that
holds the lease. `fence` counts the owners: what an earlier owner writes is refused."""

follower_positions = Table(
    "follower_positions",
    metadata,
    Column("follower", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("seq", Big, nullable=False),
    Column("attempts", Big, nullable=False),
    Column("next_attempt_at", Big),
    sqlite_with_rowid=False,
)
"""A topic without a row is at position 0: it is newer than the follower, or the follower started at
the beginning. `attempts` counts the failures of the next entry."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("follower", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("seq", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("attempts", Big, nullable=False),
    Column("reason", Text, nullable=False),
    Column("retry", Boolean, nullable=False),
)
"""`retry` is true if the entry is to be handled again. `reason` never contains text of a message."""

search_state = Table(
    "search_state",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("tokeniser", Big, nullable=False),
    Column("low", Big, nullable=False),
    Column("high", Big, nullable=False),
    Column("done", Big, nullable=False),
    Column("total", Big, nullable=False),
)
"""One row, or none before the index is first built. Messages with ids from `low` to `high` are
indexed, those below `low` are still to come, and the follower indexes those above `high`. `done` of
`total` messages up to `high` are indexed. `tokeniser` is the version that made the index, 0 if it
has to be built again. Every transaction that changes the index locks this row."""

search_recent = Table(
    "search_recent",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("room", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("tokens", Text, nullable=False),
)
"""Indexed messages that are not yet in a block. `tokens` are between blanks."""

search_blocks = Table(
    "search_blocks",
    metadata,
    Column("block", Big, primary_key=True, autoincrement=False),
    Column("first", Big, nullable=False),
    Column("last", Big, nullable=False),
    Column("first_at", Big, nullable=False),
    Column("last_at", Big, nullable=False),
    Column("ids", LargeBinary, nullable=False),
    Column("rooms", LargeBinary, nullable=False),
    Index("search_blocks_heads", "last", "first", "first_at", "last_at", "block"),
)
"""Blocks of messages (`domain/search/blocks.py`). `ids` and `rooms` have eight bytes for each message,
zeros for one that is gone. `first` and `last` are the lowest and the highest id. The index has all
columns but those."""

search_chunks = Table(
    "search_chunks",
    metadata,
    Column("block", Big, primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("entries", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The tokens of a block, in chunks. `token` is the first one of the chunk."""

INDEX = frozenset({"search_state", "search_recent", "search_blocks", "search_chunks"})
"""The tables of the search index. Backups leave them out: the server builds the index again."""
