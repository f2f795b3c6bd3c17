"""The search index when a message changes: it has no text that the message no longer has."""

from hubbub.domain.model import Mentions
from hubbub.domain.search.documents import document_tokens
from hubbub.storage import search_index
from hubbub.storage.search_index import Document, Text
from hubbub.storage.transaction import Transaction


def update(tx: Transaction, room: int, seq: int) -> None:
    """Bring the index to the text of a message that has just been edited or deleted.

    A message that is not indexed yet stays so: the follower will read its present text.
    """
    search_index.lock(tx)
    (text,) = search_index.texts_at(tx.connection, room, [seq])
    if search_index.remove(tx, text.id) and (document := document_of(text)) is not None:
        search_index.add_recent(tx, [document])


def document_of(text: Text) -> Document | None:
    """Return a message with its tokens, None if it was deleted."""
    if text.body is None:
        return None
    mentions = None if text.mentions is None else Mentions.model_validate_json(text.mentions)
    tokens = document_tokens(text.room, text.author, text.body, mentions)
    return Document(text.id, text.room, text.author, text.at, text.body, text.mentions, tokens)
