"""Whether the index has exactly the tokens of the messages, each message once."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, select

from hubbub.domain.model import Mentions
from hubbub.domain.search import blocks
from hubbub.domain.search.documents import document_tokens
from hubbub.storage.schema import messages, search_blocks, search_chunks, search_recent
from hubbub.storage.search_index import _unpack


def indexed(connection: Connection) -> tuple[Counter[int], dict[int, set[str]]]:
    """Return how often each message is in the index, and its tokens."""
    times: Counter[int] = Counter()
    tokens: dict[int, set[str]] = {}
    for row in connection.execute(select(search_recent)):
        times[row.id] += 1
        tokens[row.id] = set(row.tokens.split())
    ids: dict[int, list[int]] = {}
    for row in connection.execute(select(search_blocks)):
        ids[row.block] = list(_unpack(row.ids))
        times.update(each for each in ids[row.block] if each)
    for row in connection.execute(select(search_chunks)):
        assert row.block in ids, "every chunk belongs to a block"
        entries = [entry.partition(b"\t") for entry in bytes(row.entries).split(b"\n")[1:]]
        assert entries[0][0] == bytes(row.token)
        for token, _, _ in entries:
            for number in blocks.decode(blocks.find(bytes(row.entries), b"\n" + token + b"\t")):
                each = ids[row.block][number]
                assert each, f"{token!r} of a message that is gone"
                tokens.setdefault(each, set()).add(token.decode())
    return times, tokens


def wanted(connection: Connection) -> dict[int, set[str]]:
    """Return the tokens of all messages that are not deleted."""
    found: dict[int, set[str]] = {}
    row: Any
    for row in connection.execute(select(messages).where(messages.c.body.is_not(None))):
        mentions = None if row.mentions is None else Mentions.model_validate_json(row.mentions)
        found[row.id] = set(document_tokens(row.room, row.author, row.body, mentions).split())
    return found


def problems(connection: Connection) -> list[str]:
    """Return what is wrong with an index that is complete."""
    times, tokens = indexed(connection)
    right = wanted(connection)
    found = [f"{each} is missing" for each in right.keys() - times.keys()]
    found += [f"{each} should not be there" for each in times.keys() - right.keys()]
    found += [f"{each} is there {count} times" for each, count in times.items() if count > 1]
    found += [
        f"{each} has {sorted(tokens.get(each, set()) ^ right[each])}"
        for each in right.keys() & times.keys()
        if tokens.get(each, set()) != right[each]
    ]
    return found
