"""The format of an index block: which of its messages contain which tokens.

A block has up to BLOCK messages, numbered from 0. It is stored as chunks, each a sorted list of
entries with all tokens from its first one up to the first one of the next chunk. An entry is

    \\n TOKEN \\t NUMBER NUMBER …

A number is two bytes of seven bits, both with the highest bit set, so that no token and no
separator can occur in them, and a database can search a chunk for `\\n TOKEN \\t`.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping

BLOCK = 2_048
"""Messages in a block. A search looks at one or two chunks for each word and block."""
CHUNK_BYTES = 1_250
"""Three chunks fill a page of SQLite. PostgreSQL stores chunks of over 2 KB outside of their rows."""
Numbers = set[int]
"""Numbers of messages as they are stored: both bytes as one integer of this machine."""


def needle(token: str) -> bytes:
    """Return the bytes with which the entry of a token begins."""
    return b"\n" + token.encode() + b"\t"


def prefix_needle(prefix: str) -> bytes:
    """Return the bytes with which the entries of all tokens with this beginning begin."""
    return b"\n" + prefix.encode()


def encode(tokens: Mapping[str, Iterable[int]]) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a block, each with its first token.

    `tokens` has the ascending numbers of the messages that contain each token.
    """
    entries = {token.encode(): b"".join(map(_ENCODED.__getitem__, numbers)) for token, numbers in tokens.items()}
    return _chunks(sorted(entries.items()))


def without(chunk: bytes, number: int) -> list[tuple[bytes, bytes]] | None:
    """Return a chunk without a message: no chunk or one, with its first token.

    Returns None if the chunk does not contain the message.
    """
    gone = _ENCODED[number]
    changed = False
    entries = []
    for entry in chunk.split(b"\n")[1:]:
        token, _, numbers = entry.partition(b"\t")
        kept = b"".join(pair for pair in _pairs(numbers) if pair != gone)
        changed = changed or len(kept) != len(numbers)
        if kept:
            entries.append((token, kept))
    return [(entries[0][0], _join(entries))] if changed and entries else [] if changed else None


def find(chunk: bytes, begins: bytes) -> Numbers:
    """Return the messages of all entries that begin so."""
    found = array("H")
    at = chunk.find(begins)
    while at >= 0:
        start = chunk.index(b"\t", at) + 1
        at = chunk.find(b"\n", start)
        found.frombytes(chunk[start : at if at >= 0 else len(chunk)])
        if at >= 0:
            at = chunk.find(begins, at)
    return set(found)


def decode(numbers: Iterable[int]) -> list[int]:
    """Return stored numbers as the numbers of messages."""
    return [_NUMBERS[number] for number in numbers]


def _chunks(entries: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    chunks: list[tuple[bytes, bytes]] = []
    some: list[tuple[bytes, bytes]] = []
    size = 0
    for token, numbers in entries:
        added = len(token) + len(numbers) + 2
        if some and size + added > CHUNK_BYTES:
            chunks.append((some[0][0], _join(some)))
            some, size = [], 0
        some.append((token, numbers))
        size += added
    if some:
        chunks.append((some[0][0], _join(some)))
    return chunks


def _join(entries: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"\n" + token + b"\t" + numbers for token, numbers in entries)


def _pairs(numbers: bytes) -> list[bytes]:
    return [numbers[at : at + 2] for at in range(0, len(numbers), 2)]


_ENCODED = [bytes((0x80 | number >> 7, 0x80 | number & 0x7F)) for number in range(BLOCK)]
_NUMBERS = {int.from_bytes(pair, sys.byteorder): number for number, pair in enumerate(_ENCODED)}
