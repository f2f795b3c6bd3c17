"""Answers stored by idempotency key.

They belong to commands that create something other than a message; messages store their own keys.
"""

from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Dialect, Executable, delete, insert, select, tuple_

from hubbub.domain.model import as_json
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
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
    tx.execute(insert(answers).values(author=author, kind=kind, key=key, hash=digest, answer=text, created_at=tx.now))


def forget(tx: Transaction, before: int, limit: int) -> int:
    """Delete at most `limit` answers that were given before `before`; return how many."""
    old = select(answers.c.author, answers.c.kind, answers.c.key).where(answers.c.created_at < before)
    found = tx.connection.execute(old.order_by(answers.c.created_at).limit(limit)).all()
    if found:
        tx.writes += 1
        DELETE.run(tx.connection, rows=rows.encode([tuple(row) for row in found])).close()
    return len(found)


def _delete(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"author": BIG, "kind": TEXT, "key": TEXT})
    key = tuple_(answers.c.author, answers.c.kind, answers.c.key)
    return delete(answers).where(key.in_(select(*given.columns()).select_from(given.source)))


DELETE = Statement(_delete)
