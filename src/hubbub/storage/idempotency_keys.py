"""The answers to commands that may be retried under a key and create something other than a message."""

from hmac import compare_digest

import orjson
from sqlalchemy import insert, select

from hubbub.domain.errors import Conflict
from hubbub.storage.schema import answers
from hubbub.storage.transaction import Transaction


def find(tx: Transaction, author: int, kind: str, key: str | None, hash_: str) -> dict[str, object] | None:
    """The answer that was given first, None if the key is new. Raises Conflict if the key was used for another body."""
    if key is None:
        return None
    row = tx.connection.execute(
        select(answers.c.hash, answers.c.answer).where(
            answers.c.author == author, answers.c.kind == kind, answers.c.key == key
        )
    ).first()
    if row is None:
        return None
    if not compare_digest(row.hash, hash_):
        raise Conflict("That key was used for something else.")
    answer: dict[str, object] = orjson.loads(row.answer)
    return answer


def keep(
    tx: Transaction, author: int, kind: str, key: str | None, hash_: str, answer: dict[str, object]
) -> dict[str, object]:
    """Stores the answer under its key, if there is one, and returns it."""
    if key is not None:
        values = {"author": author, "kind": kind, "key": key, "hash": hash_, "answer": orjson.dumps(answer).decode()}
        tx.execute(insert(answers).values(**values))
    return answer
