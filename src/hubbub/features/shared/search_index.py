"""The search index when a message changes: it has no text that the message no longer has."""

from hubbub.domain.model import Mentions
from hubbub.domain.search.documents import document_tokens
from hubbub.storage import search_index
from hubbub.storage.search_index import Document
from hubbub.storage.transaction import Transaction


def update(tx: Transaction, room: int, seq: int) -> None:
    """Bring the index to the present text of a message, once that is stored. None for a deleted message.

    A message that is not indexed yet stays so: the follower will read its present text.
    """
    search_index.lock(tx)
    (text,) = search_index.texts_at(tx.connection, room, [seq])
    if not search_index.remove(tx, text.id) or text.body is None:
        return
    mentions = None if text.mentions is None else Mentions.model_validate_json(text.mentions)
    tokens = document_tokens(room, text.author, text.body, mentions)
    search_index.add_recent(tx, [Document(text.id, room, text.author, text.at, text.body, text.mentions, tokens)])
