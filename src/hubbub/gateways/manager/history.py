"""The last messages of each topic, so that clients can resume after the last one they got.

An id is `EPOCH-NUMBER`. Numbers count all messages of a manager, so that an id is a moment, and
one id is good for all topics of a client.
"""

import os
from collections import deque
from typing import NamedTuple

from hubbub.gateways.manager.names import Name
from hubbub.gateways.manager.payloads import Payload, with_id

TOPIC_BYTES = 2**20
"""Bytes of a topic, with OVERHEAD for each message."""
TOTAL_BYTES = 64 * 2**20
"""Bytes of all topics, with OVERHEAD for each message and each topic."""
OVERHEAD = 256
ID_LENGTH = 40
"""Characters of an id, at most."""


class Kept(NamedTuple):
    """A message of the past, and the users it was not sent to."""

    number: int
    payload: Payload
    excluded: tuple[Name, ...]


class TopicHistory:
    """The last messages of a topic, the oldest first."""

    __slots__ = ("floor", "kept", "size")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        """All messages with a greater number are here."""
        self.kept: deque[Kept] = deque()
        self.size = OVERHEAD

    def drop_oldest(self) -> None:
        oldest = self.kept.popleft()
        self.floor = oldest.number
        self.size -= len(oldest.payload.data) + OVERHEAD


class History:
    """The histories of all topics: bounded in messages, in bytes, and in the bytes of all topics.

    If the manager is `shared` with other processes, it misses what they send to topics without a
    member here. Then a topic has a history from `begin` to `end` only.
    """

    def __init__(self, length: int, *, shared: bool = False) -> None:
        self._length = length
        self._shared = shared
        self._epoch = os.urandom(6).hex()
        self._number = 0
        self._floor = 0
        """Messages of topics that are not here may be missing up to this number."""
        self._topics: dict[Name, TopicHistory] = {}
        self.size = 0

    def begin(self, topic: Name) -> None:
        """Record that a shared manager hears the topic from now on."""
        if self._shared and topic not in self._topics:
            self._number += 1  # the ids of before are too old
            self._topics[topic] = TopicHistory(self._number)
            self.size += OVERHEAD

    def end(self, topic: Name) -> None:
        """Record that a shared manager no longer hears the topic."""
        if self._shared:
            self._forget(topic)

    def add(self, topic: Name, payload: Payload, excluded: tuple[Name, ...] = ()) -> Payload:
        """Keep a message, and return it with its id if it is a JSON object.

        Raises ValueError if it has an id already.
        """
        payload = with_id(payload, f"{self._epoch}-{self._number + 1}")
        self._number += 1
        found = self._topics.pop(topic, None)
        if found is None:
            if self._shared:
                return payload
            found = TopicHistory(self._floor)
            self.size += OVERHEAD
        self._topics[topic] = found  # the last one to be forgotten
        before = found.size
        found.kept.append(Kept(self._number, payload, excluded))
        found.size += len(payload.data) + OVERHEAD
        while found.kept and (len(found.kept) > self._length or found.size > TOPIC_BYTES):
            found.drop_oldest()
        self.size += found.size - before
        while self.size > TOTAL_BYTES:
            self._forget(next(iter(self._topics)))
        return payload

    def since(self, topic: Name, identifier: object) -> tuple[list[Kept], bool]:
        """Return what came after the id, and whether nothing is missing.

        For an id that is unknown or too old: what there is. The empty id stands for all of it.
        """
        found = self._topics.get(topic)
        kept = list(found.kept) if found is not None else []
        if identifier == "":
            return kept, True
        number = self._number_of(identifier)
        floor = found.floor if found is not None else self._number + 1 if self._shared else self._floor
        if number is None or number < floor:
            return kept, False
        return [each for each in kept if each.number > number], True

    def _number_of(self, identifier: object) -> int | None:
        if not isinstance(identifier, str) or len(identifier) > ID_LENGTH or not identifier.isascii():
            return None
        epoch, _, number = identifier.partition("-")
        if epoch != self._epoch or not number.isdecimal():
            return None
        return int(number) if int(number) <= self._number else None

    def _forget(self, topic: Name) -> None:
        found = self._topics.pop(topic, None)
        if found is not None:
            self.size -= found.size
            self._floor = max(self._floor, found.kept[-1].number if found.kept else found.floor)
