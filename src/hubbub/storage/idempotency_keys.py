"""Answers stored by idempotency key.

They belong to commands that create something other than a message; messages store their own keys.
"""

from hmac import compare_digest

import orjson
from sqlalchemy import insert, select

from hubbub.domain.errors import Conflict
from hubbub.storage.schema import answers
from hubbub.storage.transaction import Transaction


def find(tx: Transaction, author: int, kind: str, key: str | None, hash_: str) -> dict[str, object] | None:
    """Return the first answer to this key, None if the key is new.

    Raises Conflict if the key was used for a different command.
    """
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
        raise Conflict("This key was already used for a different command.")
    answer: dict[str, object] = orjson.loads(row.answer)
    return answer


def keep(
    tx: Transaction, author: int, kind: str, key: str | None, hash_: str, answer: dict[str, object]
) -> dict[str, object]:
    """Store the answer under its key, if there is one, and return it."""
    if key is not None:
        values = {"author": author, "kind": kind, "key": key, "hash": hash_, "answer": orjson.dumps(answer).decode()}
        tx.execute(insert(answers).values(**values))
    return answer
