"""Catching up: the snapshot of `welcome`, and the events after a position.

Never a silent gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from hubbub.domain.commands import EventsSince
from hubbub.domain.errors import NotFound
from hubbub.domain.events import Entry
from hubbub.domain.model import SITE, Room, Status, User, room_topic, user_topic
from hubbub.storage import accounts, log, members, rooms, statuses
from hubbub.storage.log import LogPage

MISSING = 200
"""The most missing events per topic that follow `welcome`. A `more` frame says that there are more."""

MISSING_BYTES = 4 * 2**20
"""Bytes of missing events in all topics, after which topics only get a `more` frame."""


@dataclass(frozen=True, slots=True)
class MissingEvents:
    """The events of one topic that a client misses.

    Without a page the topic needs a reset.
    """

    topic: str
    head: int | None
    floor: int | None
    page: LogPage | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A user's rooms, the heads of all followed topics, and the missing events.

    All of it comes from one read transaction.
    """

    epoch: str
    user: User
    rooms: list[Room]
    heads: dict[str, int]
    missing: list[MissingEvents]
    status: Status
    """The status the user has set."""


def snapshot(
    connection: Connection, user: int, *, site: bool, epoch: str | None, have: Mapping[str, int], now: int
) -> Snapshot:
    """Return the contents of `welcome`.

    `epoch` is the client's, None if the client sent none.
    """
    account = accounts.find(connection, user)
    if account is None:
        raise NotFound()
    joined = rooms.joined(connection, user)
    floors = {room_topic(room.id): room.floor or 0 for room in joined}
    own = [user_topic(user), SITE] if site else [user_topic(user)]
    heads = {room_topic(room.id): room.head or 0 for room in joined} | log.heads(connection, own)
    now_epoch = log.epoch(connection)
    right_epoch = epoch is None or epoch == now_epoch
    missing, size = [], 0
    for topic, after in have.items():
        if topic not in heads:
            missing.append(MissingEvents(topic, None, None, None))
            continue
        if right_epoch and after == heads[topic]:
            continue
        # Above MISSING_BYTES in all, the remaining topics get `more` without events.
        limit = MISSING if size < MISSING_BYTES else 0
        page = log.since(connection, topic, after, limit, floor=floors.get(topic, 0)) if right_epoch else None
        size += sum(map(len, page.texts)) if page is not None else 0
        if page is None or not page.complete or page.texts:
            _, floor = log.position(connection, topic) or (0, 0)
            missing.append(MissingEvents(topic, heads[topic], max(floor, floors.get(topic, 0)), page))
    chosen, _ = statuses.of(connection, [user], now)[user]
    return Snapshot(now_epoch, account.profile(), joined, heads, missing, chosen)


def events_since(connection: Connection, user: int, site: bool, query: EventsSince) -> dict[str, object]:
    """Return a page of a topic's events, or a reset.

    Raises NotFound for topics the user may not follow.
    """
    epoch = log.epoch(connection)
    found = page(connection, user, site, query.topic, query.epoch, query.after, query.limit)
    if found is None:
        floor = follow_floor(connection, user, site, query.topic)
        head, own_floor = log.position(connection, query.topic) or (0, 0)
        return {"epoch": epoch, "reset": True, "head": head, "floor": max(floor, own_floor)}
    return {
        "epoch": epoch,
        "events": [orjson.Fragment(text) for text in found.texts],
        "head": found.head,
        "more": not found.complete,
    }


def page(
    connection: Connection, user: int, site: bool, topic: str, epoch: str | None, after: int, limit: int
) -> LogPage | None:
    """Return a page of a topic's events, None if the client needs a reset.

    Raises NotFound for topics the user may not follow.
    """
    floor = follow_floor(connection, user, site, topic)
    if epoch is not None and epoch != log.epoch(connection):
        return None
    return log.since(connection, topic, after, limit, floor=floor)


def follow_floor(connection: Connection, user: int, site: bool, topic: str) -> int:
    """Return the seq of `topic` after which the user may follow it.

    For a room it is the last seq before they joined.

    Raises NotFound for topics the user may not follow at all.
    """
    kind, _, number = topic.partition(":")
    if kind == "room":
        own = members.find(connection, int(number), user)
        if own is None:
            raise NotFound()
        return own.joined_seq - 1
    if topic == user_topic(user) or (site and topic == SITE):
        return 0
    raise NotFound()


def missed(connection: Connection, user: int, topic: str, after: int, top: int, limit: int) -> tuple[int, list[Entry]]:
    """Return (start, entries): the first `limit` entries after `start`, up to `top`.

    `start` is `after`, or the floor above which the user may follow the topic if that is later: the
    user may have left and joined again. Raises NotFound as `follow_floor` does.
    """
    floor = follow_floor(connection, user, True, topic)
    start = max(after, floor)
    return start, log.entries(connection, topic, start, min(top - start, limit), floor=floor) if start < top else []


def gap(connection: Connection, user: int, topic: str, after: int, top: int) -> list[bytes]:
    """Return the encoded events after `after`, up to `top`.

    They are the events between a snapshot and the moment of the subscription. There are none if the
    user may no longer follow the topic.
    """
    try:
        floor = follow_floor(connection, user, True, topic)
    except NotFound:
        return []
    found: list[bytes] = []
    while after < top and (page := log.since(connection, topic, after, min(1_000, top - after), floor=floor)):
        found += page.texts
        after = page.last
        if page.complete or not page.texts:
            break
    return found
