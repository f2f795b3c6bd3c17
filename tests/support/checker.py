"""The invariants of fault tests.

They compare what writers and observers saw with what is stored. I1 no loss, I2 no duplicate, I3 one
order, I4 visible, I5 real time, I6 gapless, I7 honest gaps, I8 no leak. I9 (convergence) needs a
running server: `same_history`, and `convergence.py` for more than messages. Every function returns a
sentence for each violation.
"""

import contextlib
import itertools
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from tests.support.entries import ENTRIES

Frame = dict[str, Any]
SHOWN = 5  # violations of one kind to report


@dataclass
class Send:
    """A message that a writer sent: acknowledged with a seq, or of unknown outcome."""

    room: int
    author: int
    key: str
    body: str
    sent_at: float
    acked_at: float | None = None
    seqs: list[int] = field(default_factory=list)

    def acknowledge(self, seq: int) -> None:
        """Record an acknowledgement. The first one counts for real time; all must agree."""
        self.acked_at = self.acked_at or time.monotonic()
        self.seqs.append(seq)

    @property
    def identity(self) -> tuple[int, int, str]:
        return self.room, self.author, self.key


@dataclass
class History:
    """What the clients of one test run saw."""

    sends: list[Send] = field(default_factory=list)
    observations: dict[str, Mapping[str, Sequence[Frame]]] = field(default_factory=dict)
    resets: list[str] = field(default_factory=list)
    reads: list[tuple[Send, str, bool]] = field(default_factory=list)
    """Acknowledged messages that were then looked for in the history: where, and whether there."""

    def sending(self, room: int, author: int, key: str, body: str) -> Send:
        """Record that a message is about to be sent for the first time."""
        send = Send(room, author, key, body, time.monotonic())
        self.sends.append(send)
        return send

    def observe(self, name: str, events: Mapping[str, Sequence[Frame]], resets: Sequence[Frame] = ()) -> None:
        """Record all events an observer applied, per topic and over all its connections."""
        self.observations[name] = events
        self.resets += [f"{name} received a reset: {reset}" for reset in resets]

    def read(self, send: Send, where: str, found: bool) -> None:
        """Record that a history was read after the acknowledgement of a message."""
        self.reads.append((send, where, found))

    @property
    def acked(self) -> list[Send]:
        return [send for send in self.sends if send.seqs]


@dataclass(frozen=True)
class Row:
    """A stored message."""

    room: int
    seq: int
    n: int
    author: int
    key: str
    body: str | None


@dataclass(frozen=True)
class Stored:
    """The database's content.

    Messages in (room, seq) order and the seqs of every topic's log.
    """

    messages: list[Row]
    log: dict[str, list[int]]

    @classmethod
    def read(cls, address: str) -> "Stored":
        """Read the database directly, beside the server or after its end."""
        with contextlib.closing(_connect(address)) as connection:
            rows = connection.execute("SELECT room, seq, n, author, key, body FROM messages ORDER BY room, seq")
            messages = [Row(*row) for row in rows]
            log: dict[str, list[int]] = defaultdict(list)
            for topic, seq in connection.execute(f"SELECT topic, seq FROM {ENTRIES} ORDER BY topic, seq"):
                log[topic].append(seq)
        return cls(messages, dict(log))


def _connect(address: str) -> "sqlite3.Connection | psycopg.Connection[Any]":
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        return sqlite3.connect(f"file:{url.database}?mode=ro", uri=True, timeout=15)
    connection = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # a consistent view of messages and log
    return connection


def violations(history: History, stored: Stored) -> list[str]:
    """Return all violations; empty if all invariants hold."""
    checks = (lost, duplicated, disordered, invisible, misordered, gaps)
    return [sentence for check in checks for sentence in check(history, stored)[:SHOWN]] + history.resets[:SHOWN]


def lost(history: History, stored: Stored) -> list[str]:
    """I1: every acknowledged message is stored, with the acknowledged seq and its body."""
    by_identity = {(row.room, row.author, row.key): row for row in stored.messages}
    found = []
    for send in history.acked:
        row = by_identity.get(send.identity)
        if row is None:
            found.append(f"I1 lost: {send.identity} was acknowledged as {send.seqs} and is not stored")
        elif set(send.seqs) != {row.seq} or row.body != send.body:
            found.append(f"I1 false: {send.identity} was acknowledged as {send.seqs} and is stored as {row}")
    return found


def duplicated(history: History, stored: Stored) -> list[str]:
    """I2: keys and bodies are stored once, and every stored message was sent."""
    counts = Counter((row.room, row.author, row.key) for row in stored.messages)
    found = [f"I2 twice: {identity} is stored {count} times" for identity, count in counts.items() if count > 1]
    sent = {send.identity for send in history.sends}
    authors = {send.author for send in history.sends}
    unsent = [identity for identity in counts if identity[1] in authors and identity not in sent]
    found += [f"I2 invented: {identity} is stored and was never sent" for identity in unsent]
    # Test bodies are unique, so a retry under another key shows as the same text twice.
    bodies = Counter((row.room, row.body) for row in stored.messages if row.author in authors)
    return found + [f"I2 twice: body {body!r} is stored {count} times" for body, count in bodies.items() if count > 1]


def disordered(history: History, stored: Stored) -> list[str]:
    """I3: each observer saw a contiguous slice of the stored order and content."""
    content = {(f"room:{row.room}", row.seq): (row.author, row.key, row.body, row.n) for row in stored.messages}
    found = []
    for observer, topics in history.observations.items():
        for topic, events in topics.items():
            stored_seqs = set(stored.log.get(topic, ()))
            for before, after in itertools.pairwise(events):
                if after["seq"] != before["seq"] + 1:
                    found.append(f"I3 gap: {observer} saw {topic} {before['seq']} then {after['seq']}")
            for event in events:
                where = (topic, event["seq"])
                if event["seq"] not in stored_seqs:
                    found.append(f"I3 ghost: {observer} saw {where} {event['type']}, which is not in the log")
                elif event["type"] == "message.sent":
                    seen = (event["by"], event["key"], event["body"], event["n"])
                    if content.get(where) != seen:
                        found.append(f"I3 other: {observer} saw {where} as {seen}, stored is {content.get(where)}")
    return found


def invisible(history: History, stored: Stored) -> list[str]:
    """I4: a history that is read after an acknowledgement contains the message."""
    return [
        f"I4: {where} did not show {send.identity} after its ack" for send, where, found in history.reads if not found
    ]


def misordered(history: History, stored: Stored) -> list[str]:
    """I5: a message acknowledged before another was sent comes before it."""
    found = []
    by_room: dict[int, list[Send]] = defaultdict(list)
    for send in history.sends:
        by_room[send.room].append(send)
    for room, sends in by_room.items():
        acks = sorted((send.acked_at, send.seqs[0]) for send in sends if send.acked_at is not None)
        latest, position = 0, 0
        for send in sorted(sends, key=lambda send: send.sent_at):
            while position < len(acks) and acks[position][0] < send.sent_at:
                latest = max(latest, acks[position][1])
                position += 1
            if send.seqs and send.seqs[0] < latest:
                found.append(f"I5: {send.identity} got {send.seqs[0]} in room {room}, sent after {latest} was acked")
    return found


def gaps(history: History, stored: Stored) -> list[str]:
    """I6: seqs run 1..n in topics whose log begins at 1, message numbers in rooms."""
    found = [
        f"I6: {topic} holds {len(seqs)} events between {seqs[0]} and {seqs[-1]}"
        for topic, seqs in stored.log.items()
        if seqs != list(range(seqs[0], seqs[0] + len(seqs)))
    ]
    numbers: dict[int, list[int]] = defaultdict(list)
    for row in stored.messages:
        numbers[row.room].append(row.n)
    for room, ns in numbers.items():
        if ns != list(range(1, len(ns) + 1)):
            found.append(f"I6: the message numbers of room {room} are not 1..{len(ns)}")
    return found


def memberships(room_log: Iterable[Frame], user: int) -> list[tuple[int, float]]:
    """Return the intervals [joined, left] of `user`'s membership.

    Both events reach the user.
    """
    intervals: list[tuple[int, float]] = []
    for event in room_log:
        if event.get("user") != user:
            continue
        if event["type"] == "member.joined":
            intervals.append((event["seq"], float("inf")))
        elif (event["type"] in ("member.left", "member.removed") or event.get("was_member")) and intervals:
            intervals[-1] = (intervals[-1][0], event["seq"])
    return intervals


def leaks(room_log: Sequence[Frame], user: int, received: Iterable[Frame]) -> list[str]:
    """I8: `user` received nothing from outside their memberships.

    `room_log` is the whole log.
    """
    intervals = memberships(room_log, user)
    return [
        f"I8: user {user} received {event['topic']} {event['seq']} {event['type']} outside {intervals}"
        for event in received
        if not any(start <= event["seq"] <= end for start, end in intervals)
    ]


def unheard(room_log: Sequence[Frame], user: int, received: Iterable[Frame]) -> list[str]:
    """Return violations of the converse of I8.

    Every message during a membership reached `user`.
    """
    intervals = memberships(room_log, user)
    seqs = {event["seq"] for event in received}
    return [
        f"user {user} did not receive {event['seq']} inside {intervals}"
        for event in room_log
        if event["type"] == "message.sent"
        and event["seq"] not in seqs
        and any(start <= event["seq"] <= end for start, end in intervals)
    ]


def holes(room_log: Sequence[Frame], user: int, received: Iterable[Frame]) -> list[str]:
    """Return messages that `user` did not receive though they received a later one of the same membership.

    With several nodes the end of a membership may arrive before its last messages: topics have no
    order among each other.
    """
    seqs = {event["seq"] for event in received if event["type"] == "message.sent"}
    found = []
    for start, end in memberships(room_log, user):
        last = max((seq for seq in seqs if start <= seq <= end), default=0)
        sent = (event["seq"] for event in room_log if event["type"] == "message.sent" and start <= event["seq"] < last)
        found += [f"user {user} received {last} and not {seq} of ({start}, {end})" for seq in sent if seq not in seqs]
    return found


def same_history(observed: Sequence[Frame], messages: Sequence[Frame]) -> list[str]:
    """I9: the messages an observer collected equal the room's history since then."""
    seen = [(e["seq"], e["by"], e["key"], e["body"]) for e in observed if e["type"] == "message.sent"]
    start = observed[0]["seq"] if observed else 0
    fresh = [(m["seq"], m["by"], m["key"], m["body"]) for m in messages if m["seq"] >= start]
    return [] if seen == fresh else [f"I9: {len(seen)} messages collected, {len(fresh)} in the history, different"]
