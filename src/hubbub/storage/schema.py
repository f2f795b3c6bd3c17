"""The tables. All times are in milliseconds.

Every key of the big tables (`log`, `messages`) contains the topic or the room. On SQLite both are
ordinary tables with a hidden row id, so that rows are appended and never move when others arrive: a
page that is split keeps copies of the rows that have left it, and a deletion does not find those.
There are no triggers, no stored procedures and no global counters.

Checks on kinds and roles are made from the domain's own lists. A new value needs a migration, and a
test compares the checks of a migrated database with these.

Small tables refer to `users` and `rooms` by foreign keys. These have none, for these reasons:

- `log`, `messages`, `edits`, `pins`, `reactions`, `mentions`: each row would cost another lookup
  while the writer holds the lock of the room, which already protects what it has read. Rows of
  messages, rooms and accounts that left something are never deleted.
- `mentions.user`, `answers.author`, `invites.created_by` and `bans.by` can be 0: the whole room, or
  the system. `storage.deletion.OWN` deletes these rows with the account.
- `rooms.created_by`, `pins.by`, `mentions.author`: ids that stay when the account is gone.
"""

from collections.abc import Iterable
from typing import get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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

from hubbub.domain.model import Chosen, History, Role, RoomKind, RoomRole, TokenPurpose

metadata = MetaData()


def one_of(name: str, column: str, values: Iterable[str]) -> CheckConstraint:
    """Return a check that a column has one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def flag(name: str, column: str) -> CheckConstraint:
    """Return a check that SQLite stores a truth value. PostgreSQL has a type for them."""
    return CheckConstraint(f"{column} IN (0, 1)", name=name).ddl_if(dialect="sqlite")


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
    Column("topic", Text, primary_key=True),
    Column("seq", Big, primary_key=True, autoincrement=False),
    Column("at", Big, nullable=False),
    Column("tx", Big, nullable=False),
    Column("type", Text, nullable=False),
    Column("message", Big),
    Column("text", Text, nullable=False),
    CheckConstraint("(message IS NULL) = (type <> 'message.edited')", name="log_message"),
)
"""All entries but the `message.sent`: those are the rows of `messages`. `tx` identifies the
transaction that wrote the row. `text` is the event without the fields that the other columns have,
and without the text of a message. `message` is the seq of the message whose text the event shows."""

GUESTS = "role = 'guest' AND deleted_at IS NULL"
OWNERS = "role = 'owner'"
"""Conditions of partial indexes. Statements must spell them alike: with bound values the indexes
would not be used."""

users = Table(
    "users",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("skeleton", Text, unique=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Big, nullable=False),
    Column("deleted_at", Big),
    Column("search_key", Bytewise, nullable=False, server_default=""),
    Column("bot", Boolean, nullable=False, server_default=false()),
    one_of("users_role", "role", Role),
    flag("users_disabled", "disabled"),
    flag("users_bot", "bot"),
    CheckConstraint("(deleted_at IS NULL) = (skeleton IS NOT NULL)", name="users_skeleton"),
    CheckConstraint("deleted_at IS NULL OR (disabled AND password_hash IS NULL)", name="users_deleted"),
    Index("users_guests", "created_at", sqlite_where=text(GUESTS), postgresql_where=text(GUESTS)),
    Index("users_search_key", "search_key", "name", "role", "disabled"),
    Index("users_owners", "id", sqlite_where=text(OWNERS), postgresql_where=text(OWNERS)),
)
"""A deleted account has `deleted_at`, and no skeleton: its name is free. Its row stays as the author
of its messages. A guest who left nothing has no row any more.
`users_search_key` has all columns that the search for users reads."""
USER_KEPT = frozenset({"id", "created_at", "bot"})
"""The columns that stay of a deleted account. All others are erased, new ones too."""

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), unique=True),
    Column("name", Text, nullable=False),
    Column("revoked", Big, nullable=False),
    Column("revoked_at", Big),
    CheckConstraint("revoked >= 0", name="identities_revoked"),
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
    Column("confirmed", Boolean, nullable=False, server_default=true()),
    flag("sessions_browser", "browser"),
    flag("sessions_confirmed", "confirmed"),
    CheckConstraint("browser = (token_hash IS NOT NULL)", name="sessions_token_hash"),
    CheckConstraint("generation >= 0", name="sessions_generation"),
    Index("sessions_user", "user"),
    Index("sessions_expires", "expires_at"),
)
"""`generation` counts the pairs of tokens. `confirmed` is false from a rotation until a client uses
the new pair: so long the answer may have been lost, and the former refresh token is good."""

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
    Column("direct_key", Text),
    Column("search_key", Bytewise, nullable=False, server_default=""),
    UniqueConstraint("direct_key", name="rooms_direct_key"),
    one_of("rooms_kind", "kind", get_args(RoomKind)),
    one_of("rooms_history", "history", get_args(History)),
    flag("rooms_archived", "archived"),
    CheckConstraint("members >= 0", name="rooms_members"),
    CheckConstraint("(kind = 'public') = (skeleton IS NOT NULL)", name="rooms_skeleton"),
    CheckConstraint("(kind = 'direct') = (direct_key IS NOT NULL)", name="rooms_direct"),
    Index("rooms_search_key", "search_key", "kind", "archived"),
)
"""`direct_key` is a digest of the ids of a direct room's `participants`. It makes the room unique
for them, also if two servers create it at once."""

host_rooms = Table(
    "host_rooms",
    metadata,
    Column("key", Text, primary_key=True),
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    UniqueConstraint("room", name="host_rooms_room"),
)
"""The rooms of objects of the host application, by the application's own keys. The key makes the room
unique, also if two servers create it at once."""

participants = Table(
    "participants",
    metadata,
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Index("participants_user", "user"),
    sqlite_with_rowid=False,
)
"""The users of a direct room. They never change; `members` has those of them whose account is not
deleted."""

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
    Column("added_by", Big),
    one_of("members_role", "role", RoomRole),
    flag("members_favourite", "favourite"),
    flag("members_muted", "muted"),
    CheckConstraint("joined_seq >= 1 AND read_seq >= 0 AND read_n >= 0", name="members_positions"),
    Index("members_user", "user", "room"),
    sqlite_with_rowid=False,
)
"""`added_by` is the user who put the member into the room, NULL if the member came by themselves."""

messages = Table(
    "messages",
    metadata,
    Column("room", Big, primary_key=True, autoincrement=False),
    Column("seq", Big, primary_key=True, autoincrement=False),
    Column("n", Big, nullable=False),
    Column("at", Big, nullable=False),
    Column("id", Big, nullable=False),
    Column("author", Big, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", Big),
    Column("body", Text),
    Column("reply_to", Big),
    Column("forwarded", Text),
    Column("mentions", Text),
    Column("sent_mentions", Text),
    Column("edited_at", Big),
    Column("deleted_at", Big),
    UniqueConstraint("room", "author", "key", name="messages_room_author_key"),
    Index("messages_id", "id"),
    CheckConstraint("body IS NOT NULL OR deleted_at IS NOT NULL", name="messages_body"),
)
"""A row is the message and the entry of its `message.sent` in the room's log, even after a
deletion. `id` identifies the row, and orders the messages of the site. `forwarded` and `mentions`
are JSON as on the wire. `sent_mentions` are the mentions of the message as it was sent, if `mentions` no longer
has them; empty if there were none."""
MESSAGE_KEPT = frozenset({"room", "seq", "n", "at", "id", "author", "key", "reply_to", "sent_mentions"})
"""The columns that stay of a deleted message. All others are erased, new ones too. `key` recognises
a retry of the command that sent it. `digest` recognises that another command has the same key; as a
short text can be guessed from it, it goes with the text."""

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
    CheckConstraint("seq >= 1 AND pinned_seq > seq", name="pins_seqs"),
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
    CheckConstraint("seq >= 1 AND first_seq > seq AND added_seq >= first_seq", name="reactions_seqs"),
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
    CheckConstraint('"user" >= 0 AND seq >= 1', name="mentions_seqs"),
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
    one_of("statuses_status", "status", get_args(Chosen)),
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
    Column("created_at", Big, nullable=False),
    Index("answers_created", "created_at"),
)
"""The answers to commands with a key, other than messages. Housekeeping deletes them after a while."""

USED_UP = "uses >= max_uses"
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
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE")),
    Column("signup", Boolean, nullable=False, server_default=true()),
    Column("used_at", Big),
    flag("invites_signup", "signup"),
    CheckConstraint("uses >= 0 AND max_uses >= 1 AND uses <= max_uses", name="invites_uses"),
    CheckConstraint("(uses = 0) = (used_at IS NULL)", name="invites_used_at"),
    Index("invites_room", "room"),
    Index("invites_created_by", "created_by"),
    Index("invites_expires", "expires_at"),
    Index("invites_used_up", "used_at", sqlite_where=text(USED_UP), postgresql_where=text(USED_UP)),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user", Big, ForeignKey("users.id", ondelete="CASCADE")),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
    one_of("links_purpose", "purpose", get_args(TokenPurpose)),
    CheckConstraint("(purpose = 'reset') = (\"user\" IS NOT NULL)", name="links_user_of_reset"),
    Index("links_user", "user"),
    Index("links_expires", "expires_at"),
)
"""One-time tokens. A used one is deleted."""

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
topic that is done. `scope` is a topic, or the beginning of topics, which ends with a colon; it is empty if the row is
nothing but a lease. `owner` is the process that holds the lease. `fence` counts the owners: what an earlier owner
writes is refused."""

follower_positions = Table(
    "follower_positions",
    metadata,
    Column("follower", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("seq", Big, nullable=False),
    Column("attempts", Big, nullable=False),
    Column("next_attempt_at", Big),
    Column("first", Big, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)
"""A topic without a row is at position 0: it is newer than the follower, or the follower started at
the beginning. `attempts` counts the failures of the next entry. `first` is the position at which the
follower started, if that was the head; it never goes back further."""

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

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("room", Big, ForeignKey("rooms.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("rotated_at", Big),
    Column("created_by", Big, nullable=False),
    Column("responsible", Big, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("paused_reason", Text),
    CheckConstraint("(previous_secret IS NULL) = (rotated_at IS NULL)", name="webhooks_rotated"),
    Index("webhooks_room", "room"),
)
"""`events` are the types, as a JSON list. The webhook works as long as the user `responsible`
may manage it: its creator, or the user who resumed it last. State and positions are those of the follower
`webhook:ID`. Secrets are stored as they are, since the server signs with them."""

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("webhook", Big, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("at", Big, nullable=False),
    Column("type", Text, nullable=False),
    Column("room", Big),
    Column("seq", Big),
    Column("status", Big),
    Column("milliseconds", Big, nullable=False),
    Column("error", Text),
    CheckConstraint("(room IS NULL) = (seq IS NULL)", name="webhook_attempts_place"),
    sqlite_with_rowid=False,
)
"""The last attempts of each webhook, without what was sent. `room` and `seq` are those of the event;
a test event has none."""

site_settings = Table(
    "site_settings",
    metadata,
    Column("setting", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""The settings of the site that were changed. `value` is JSON. Names and values are not checked: a
newer version may have stored them, and an older one ignores what it does not know."""

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
)
"""The tokens of a block, in chunks. `token` is the first one of the chunk. With rowids on SQLite: a
tree of rows as long as these would be sixteen levels deep."""

INDEX = frozenset({"search_state", "search_recent", "search_blocks", "search_chunks"})
"""The tables of the search index. Backups leave them out: the server builds the index again."""
