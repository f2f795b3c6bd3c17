"""The entries of all topics in SQL, for tests that look into the database."""

ENTRIES = (
    "(SELECT topic, seq, at FROM log UNION ALL"
    " SELECT topics.topic, messages.seq, messages.at FROM messages"
    " JOIN topics ON topics.topic = 'room:' || messages.room WHERE messages.seq > topics.floor) AS entries"
)
"""A table with `topic`, `seq` and `at`. A message is an entry of its room until that is trimmed."""
