"""The search index: built from the newest messages to the oldest, and kept up by a follower.

Messages are read and split into tokens on a reader thread. The handlers only compare them with what
is stored, under the lock of the index, and write.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from hubbub.domain.commands.followers import Move
from hubbub.domain.commands.search import (
    AbandonIndex,
    ClearIndex,
    ExtendIndex,
    IndexMessages,
    RebuildIndex,
    StartIndex,
)
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Gone, Nothing
from hubbub.domain.search.blocks import BLOCK
from hubbub.domain.search.tokens import VERSION
from hubbub.features.shared.followers import REFUSALS, advance, advance_all
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles, handles_run
from hubbub.features.shared.search_index import document_of
from hubbub.storage import search_index
from hubbub.storage.search_index import Document, Text
from hubbub.storage.transaction import Transaction

MAX_CHARACTERS = 160 * 1024
"""Characters of the messages that are added to the index in one transaction, but at least one message."""


@handles_run(IndexMessages)
def index(run: Sequence[Request[IndexMessages]], tx: Transaction) -> list[Nothing | HubbubError]:
    """Add messages that the index does not have yet. What the rebuild still comes to is left to it.

    Takes as many statements for many rooms as for one.
    """
    results, documents = _advanced([request.command for request in run], tx)
    if not documents:
        return results
    state = search_index.lock(tx)
    wanted = [each for each in documents if each.id >= state.low]
    if state.tokeniser == VERSION and wanted:
        known = search_index.indexed(tx, [each.id for each in wanted])
        search_index.add_recent(tx, _present(tx, [each for each in wanted if each.id not in known]))
        search_index.pack(tx)
    return results


def _advanced(run: Sequence[IndexMessages], tx: Transaction) -> tuple[list[Nothing | HubbubError], list[Document]]:
    """Store the positions; return the result of each command, and the messages to add."""
    fresh = [command for command in run if not command.retried]
    moves = [Move(each.follower, each.fence, each.topic, each.after, each.seq) for each in fresh]
    outcomes = iter(advance_all(tx, moves) if moves else ())
    results: list[Nothing | HubbubError] = []
    documents: dict[int, Document] = {}
    for command in run:
        try:
            if command.retried:
                moved = advance(tx, command)
            elif (outcome := next(outcomes)) in REFUSALS:
                raise REFUSALS[outcome]
            else:
                moved = outcome == "moved"
        except HubbubError as error:
            results.append(error)
            continue
        results.append({})
        if moved:
            documents.update({each.id: each for each in command.documents})
    return results, list(documents.values())


@handles(AbandonIndex)
def abandon(request: Request[AbandonIndex], tx: Transaction) -> Nothing:
    if advance(tx, request.command):
        search_index.lock(tx)
        search_index.change(tx, tokeniser=0)
    return {}


@handles(RebuildIndex)
def rebuild(request: Request[RebuildIndex], tx: Transaction) -> Nothing:
    search_index.lock(tx)
    search_index.change(tx, tokeniser=0, low=1, done=0)
    return {}


@handles(ClearIndex)
def clear(request: Request[ClearIndex], tx: Transaction) -> Gone:
    """Remove some blocks, and answer with their number. Removes nothing from an index in use."""
    if search_index.lock(tx).tokeniser == VERSION:
        return {"gone": 0}
    return {"gone": search_index.clear(tx, request.command.limit)}


@handles(StartIndex)
def start(request: Request[StartIndex], tx: Transaction) -> Nothing:
    """Begin with the newest message. Does nothing if the index is in use."""
    if search_index.lock(tx).tokeniser != VERSION:
        high = search_index.highest_id(tx.connection)
        low = high + 1 if high else 0
        search_index.change(tx, tokeniser=VERSION, low=low, high=high, done=0, total=request.command.total)
    return {}


@handles(ExtendIndex)
def extend(request: Request[ExtendIndex], tx: Transaction) -> Nothing:
    """Add a block of older messages. Does nothing if the index was changed meanwhile."""
    command = request.command
    state = search_index.lock(tx)
    if state.tokeniser != VERSION or state.low != command.low:
        return {}
    present = _present(tx, command.documents)
    if present:
        known = search_index.indexed(tx, [each.id for each in present])
        search_index.add_block(tx, [each for each in present if each.id not in known])
    search_index.change(tx, low=command.until, done=state.done + len(command.documents))
    return {}


def documents_at(connection: Connection, room: int, seqs: Sequence[int]) -> list[Document]:
    """Return the messages of a room at `seqs` with their tokens. Deleted ones are left out."""
    return _documents(search_index.texts_at(connection, room, seqs))


def documents_below(connection: Connection, low: int) -> tuple[int, list[Document]]:
    """Return the next messages below the id `low` with their tokens, and the id where to go on.

    That is 0 at the end.
    """
    found = search_index.texts_below(connection, low, BLOCK)
    size = count = 0
    for text in found:
        size += len(text.body or "")
        if count and size > MAX_CHARACTERS:
            break
        count += 1
    until = found[count - 1].id if count < len(found) or len(found) == BLOCK else 0
    return until, _documents(found[:count])


def _documents(found: Sequence[Text]) -> list[Document]:
    return [document for text in found if (document := document_of(text)) is not None]


def _present(tx: Transaction, documents: Sequence[Document]) -> list[Document]:
    """Return the documents as they are now: messages may have been edited or deleted since they were read."""
    now = search_index.texts_of(tx.connection, (each.id for each in documents)) if documents else {}
    present: list[Document] = []
    for each in documents:
        text = now.get(each.id)
        if text is None or text.body is None:
            continue
        same = text.body == each.body and text.mentions == each.mentions
        found = each if same else document_of(text)
        assert found is not None
        present.append(found)
    return present
