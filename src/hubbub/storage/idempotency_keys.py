"""Answers stored by idempotency key.

They belong to commands that create something other than a message; messages store their own keys.
"""

from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, insert, select

from hubbub.domain.model import as_json
from hubbub.storage.schema import answers
from hubbub.storage.transaction import Transaction


class StoredAnswer(NamedTuple):
    """The answer to the first command with a key, and the digest of that command."""

    digest: str
    answer: dict[str, Any]


def find(connection: Connection, author: int, kind: str, key: str) -> StoredAnswer | None:
    same = (answers.c.author == author, answers.c.kind == kind, answers.c.key == key)
    row = connection.execute(select(answers.c.hash, answers.c.answer).where(*same)).first()
    return None if row is None else StoredAnswer(row.hash, orjson.loads(row.answer))


def add(tx: Transaction, author: int, kind: str, key: str, digest: str, answer: object) -> None:
    text = orjson.dumps(answer, default=as_json).decode()
    tx.execute(insert(answers).values(author=author, kind=kind, key=key, hash=digest, answer=text))
