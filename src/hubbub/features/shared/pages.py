"""Pages that end by bytes: a page of long texts has fewer items than its limit.

At least one item is on a page, so that reading page by page always ends.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from hubbub.domain.text import MAX_PAGE_BYTES

SMALL = 1_024
"""Bytes of a message without its body, mentions and reactions, at most."""
REACTION = 512
"""Bytes of a reaction with the ids of twenty users, at most."""


def size(item: object) -> int:
    """Return the bytes of an item as JSON."""
    return len(orjson.dumps(item))


def fitting(items: Sequence[object]) -> int:
    """Return how many of the items fit on a page, from the first one on: at least one of them."""
    left = MAX_PAGE_BYTES
    for number, item in enumerate(items):
        left -= size(item)
        if left < 0 and number:
            return number
    return len(items)


def around(messages: Sequence[Mapping[str, Any]], quotes: Mapping[int, Mapping[str, Any]], anchor: int) -> slice:
    """Return which messages fit on a page together with those they reply to.

    `quotes` are by seq. The page contains the message at the index `anchor` and grows in both
    directions.
    """
    if sum(map(_at_most, messages)) + sum(map(_at_most, quotes.values())) <= MAX_PAGE_BYTES:
        return slice(0, len(messages))
    sizes = [size(each) + _of_quote(each, quotes) for each in messages]
    first, end, left = anchor, anchor + 1, MAX_PAGE_BYTES - sizes[anchor]
    grows = True
    while grows:
        grows = False
        if first > 0 and sizes[first - 1] <= left:
            first, grows = first - 1, True
            left -= sizes[first]
        if end < len(messages) and sizes[end] <= left:
            end, grows = end + 1, True
            left -= sizes[end - 1]
    return slice(first, end)


def _at_most(message: Mapping[str, Any]) -> int:
    """Return a number of bytes that the message does not exceed. Cheaper than `size`."""
    body = message["body"] or ""
    named = size(message["mentions"]) if "mentions" in message else 0
    return SMALL + 6 * len(body.encode()) + REACTION * len(message["reactions"]) + named


def _of_quote(message: Mapping[str, Any], quotes: Mapping[int, Mapping[str, Any]]) -> int:
    quoted = quotes.get(message.get("reply_to") or 0)
    return size(quoted) if quoted is not None else 0
