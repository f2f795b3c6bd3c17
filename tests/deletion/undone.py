"""Faults of `tests.support.broken_server` that each leave out a step of deletion."""

from collections.abc import Callable
from typing import Any

import structlog

from hubbub.domain.events import Entry, Event, MessageEdited, MessageSent
from hubbub.storage import database, deletion, event_text, messages, search_index
from hubbub.storage.schema import MESSAGE_KEPT
from hubbub.storage.transaction import Transaction

logger = structlog.get_logger(__name__)


def keep_log_entries() -> None:
    """Store the text of an edit in the log, too."""
    encode = event_text.encode

    def telling(event: Event, topic: str, seq: int, at: str) -> tuple[bytes, bytes]:
        text, stored = encode(event, topic, seq, at)
        return text, text if isinstance(event, MessageEdited) else stored

    event_text.encode = telling


def keep_body() -> None:
    vars(messages)["MESSAGE_KEPT"] = MESSAGE_KEPT | {"body"}


def keep_edits() -> None:
    deletion.PARTS = tuple(part for part in deletion.PARTS if part.table.name != "edits")  # type: ignore[assignment]


def keep_free_pages() -> None:
    pragmas = database._pragmas

    def careless(driver: Any, _record: Any) -> None:
        pragmas(driver, _record)
        driver.execute("PRAGMA secure_delete=OFF")

    database._pragmas = careless


def keep_wal() -> None:
    database.WriterConnection.note_erasure = lambda self: None  # type: ignore[method-assign]


def keep_tokens() -> None:
    search_index.remove = lambda tx, message: False


def erase_at_once() -> None:
    """Erase the write-ahead log without the usual pause, so that tests need not wait; breaks nothing."""
    database.ERASURE_INTERVAL = 0.0


def log_texts() -> None:
    append = Transaction.append

    def telling(self: Transaction, event: Event) -> Entry:
        if isinstance(event, MessageSent):
            logger.info("sent", said=event.body)
        return append(self, event)

    Transaction.append = telling  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "keep-log-entries": keep_log_entries,
    "keep-body": keep_body,
    "keep-edits": keep_edits,
    "keep-free-pages": keep_free_pages,
    "keep-wal": keep_wal,
    "keep-tokens": keep_tokens,
    "log-texts": log_texts,
    "erase-at-once": erase_at_once,
}
