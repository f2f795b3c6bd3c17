"""Search for messages.

A search walks through the index from the newest block to older ones, until its page is full. The
messages it finds are read and matched against the query once more: phrases are found only so, and
what the index says never decides what a user may read.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hubbub.domain.errors import BadRequest
from hubbub.domain.model import Mentions
from hubbub.domain.names import skeleton
from hubbub.domain.search import documents, query
from hubbub.domain.search.matching import Range, has_link, highlights
from hubbub.domain.search.query import Query
from hubbub.domain.search.tokens import VERSION
from hubbub.domain.text import TooLong
from hubbub.features.shared.pages import fitting
from hubbub.storage import history, search_index, search_rooms
from hubbub.storage.db_errors import timed_out
from hubbub.storage.search_index import BlockHead, Group, IndexTerm, State

TOO_SLOW = "This search takes too long. Search for more words or rarer ones, or add a filter."
NEWEST = 2**63 - 1
FIRST_BLOCKS = 2
"""Blocks that a search looks at first."""
GROWTH = 8
"""How many times as many blocks a step takes at most."""
SURPLUS = 1.5
"""A step takes this part of the blocks that would complete the page if hits were evenly spread."""
MAX_BLOCKS = 1_024
"""Blocks that one statement looks at."""
MAX_GROUPS = 8
"""Words that are looked up in the index. More of them only have to be in the messages found."""
ROWS_AT_ONCE = 100
SECONDS = 0.5
"""After this time a page ends with what was found, and says where to continue."""


class SearchRequest(NamedTuple):
    """A request for a page of results. `before` is the `next` of the previous page."""

    text: str
    typing: bool
    before: int | None
    limit: int


class Search(NamedTuple):
    """A query whose names are resolved, for one user."""

    user: int
    query: Query
    floors: dict[int, int]
    """The rooms to search, each with the smallest seq that the user may read."""
    authors: frozenset[int] | None
    """The users of `from:`; None if there is none."""
    sent_between: tuple[int | None, int | None]
    known: dict[query.Filter, bool]

    @property
    def groups(self) -> list[Group]:
        """Return what the index can look up, the longest words first, since they are rare."""
        tokens = {(token.text, token.prefix) for term in self.query.terms for token in term.tokens}
        words = sorted(tokens, key=lambda token: (token[1], -len(token[0]), token[0]))
        found: list[Group] = [[IndexTerm(*word)] for word in words[:MAX_GROUPS]]
        if self.query.has("has", "link"):
            found.append([IndexTerm(documents.LINK)])
        if self.query.has("mentions", "me"):
            users = (self.user, documents.WHOLE_ROOM)
            found.append([IndexTerm(documents.of_mentioned(user)) for user in users])
        if self.authors is not None:
            found.append([IndexTerm(documents.of_author(user)) for user in sorted(self.authors)])
        if len(self.floors) == 1:  # the rooms of what is found are compared in any case, which costs less for several
            found.append([IndexTerm(documents.of_room(room)) for room in self.floors])
        return found

    def match(self, row: Any) -> list[Range] | None:
        """Return the highlights of a message; None if it does not match or the user may not read it."""
        floor = self.floors.get(row.room)
        if floor is None or row.seq < floor or row.body is None:
            return None
        after, before = self.sent_between
        if (after is not None and row.at < after) or (before is not None and row.at >= before):
            return None
        if self.authors is not None and row.author not in self.authors:
            return None
        if self.query.has("has", "link") and not has_link(row.body):
            return None
        if self.query.has("is", "pinned") and row.pinned_seq is None:
            return None
        if self.query.has("mentions", "me") and not self._mentions_me(row):
            return None
        return highlights(row.body, self.query.terms)

    def _mentions_me(self, row: Any) -> bool:
        if row.mentions is None or row.author == self.user:
            return False
        found = Mentions.model_validate_json(row.mentions)
        return found.room or self.user in found.users


class Candidates(NamedTuple):
    """Ids of messages that may match, descending. All ids above `examined` are among those given so far."""

    ids: list[int]
    examined: int


def page(connection: Connection, user: int, request: SearchRequest) -> dict[str, object]:
    """Return a page of the messages that the user may read and that match the query.

    Raises BadRequest if the database ended a statement because it took too long.
    """
    try:
        return _page(connection, user, request)
    except Exception as error:
        if timed_out(error):
            raise BadRequest(TOO_SLOW) from error
        raise


def _page(connection: Connection, user: int, request: SearchRequest) -> dict[str, object]:
    deadline = monotonic() + SECONDS
    search = _resolve(connection, user, query.parse(request.text, typing=request.typing))
    state = search_index.state(connection)
    found, following = _walk(connection, search, state, request, deadline)
    messages = history.wire_of(connection, user, [row for row, _ in found])
    results = [{"message": message, "highlights": places} for message, (_, places) in zip(messages, found, strict=True)]
    shown = fitting(results)
    if shown < len(results):
        following = found[shown - 1][0].id
    answer: dict[str, object] = {
        "results": results[:shown],
        "more": following is not None,
        "query": {
            "words": list(search.query.words),
            "filters": [
                {"name": each.name, "value": each.value, "known": search.known.get(each, True)}
                for each in search.query.filters
            ],
        },
    }
    if following is not None:
        answer["next"] = str(following)
    if state.tokeniser != VERSION or not state.is_complete:
        done = state.done if state.tokeniser == VERSION else 0
        answer["indexing"] = {"done_count": done, "total_count": max(done, state.total)}
    return answer


def _walk(
    connection: Connection, search: Search, state: State, request: SearchRequest, deadline: float
) -> tuple[list[tuple[Any, list[Range]]], int | None]:
    """Return the rows of a page with their highlights, and where the next page begins."""
    found: list[tuple[Any, list[Range]]] = []
    if search.query.is_empty or not search.floors or search.authors == frozenset() or state.tokeniser != VERSION:
        return found, None
    before = NEWEST if request.before is None else request.before
    for ids, examined in _candidates(connection, search, before, request.limit + 1):
        start = 0
        while start < len(ids):
            some = ids[start : start + (request.limit + 1 if not found else ROWS_AT_ONCE)]
            start += len(some)
            rows = history.rows_of(connection, some)
            for each in some:
                row = rows.get(each)
                places = None if row is None else search.match(row)
                if places is None:
                    continue
                if len(found) == request.limit:
                    return found, found[-1][0].id
                found.append((row, places))
            if monotonic() > deadline and start < len(ids):
                return found, some[-1]
        if monotonic() > deadline and 0 < examined < before:
            return found, examined
    return found, None


def _candidates(connection: Connection, search: Search, before: int, wanted: int) -> Iterator[Candidates]:
    """Yield the ids of messages below `before` that may match, descending.

    `wanted` says how many are probably needed.
    """
    if search.query.has("is", "pinned"):
        yield Candidates(search_rooms.pinned(connection, sorted(search.floors), before), 0)
        return
    groups = search.groups
    waiting = [each for each, room in search_index.recent(connection, groups, before) if room in search.floors]
    left = [head for head in search_index.heads(connection, before) if _in_time(head, search.sent_between)]
    size, done, given = FIRST_BLOCKS, 0, 0
    while True:
        some, left = left[:size], left[size:]
        done += size
        matching = search_index.matching(connection, groups, [head.block for head in some])
        waiting += [
            each for each, room in search_index.members(connection, matching) if each < before and room in search.floors
        ]
        examined = left[0].last if left else 0
        waiting.sort(reverse=True)
        ready = [each for each in waiting if each > examined]
        waiting = waiting[len(ready) :]
        given += len(ready)
        size = _next_size(size, done, given, wanted)
        yield Candidates(ready, examined + 1 if left else 0)
        if not left:
            return


def _next_size(size: int, done: int, given: int, wanted: int) -> int:
    """Return how many blocks to look at next, after `done` blocks with `given` hits, `size` of them just now."""
    needed = size * GROWTH if given == 0 else size * 2
    if 0 < given < wanted:
        needed = min(size * GROWTH, round(SURPLUS * done * (wanted - given) / given))
    return max(FIRST_BLOCKS, min(needed, MAX_BLOCKS))


def _in_time(head: BlockHead, between: tuple[int | None, int | None]) -> bool:
    after, before = between
    return (after is None or head.last_at >= after) and (before is None or head.first_at < before)


def _resolve(connection: Connection, user: int, found: Query) -> Search:
    """Find the users and rooms that the filters name, among what the user may know of."""
    mine = search_rooms.joined(connection, user)
    known: dict[query.Filter, bool] = {}
    authors: set[int] | None = None
    wanted: set[int] | None = None
    for each in found.filters:
        if each.name == "from":
            users = {user} if each.value.lower() == "me" else _users(connection, each.value)
            authors = (authors or set()) | users
            known[each] = bool(users)
        elif each.name == "in":
            rooms = _rooms(connection, mine, user, each.value)
            wanted = (wanted or set()) | rooms
            known[each] = bool(rooms)
    floors = {room.id: room.floor for room in mine if wanted is None or room.id in wanted}
    return Search(user, found, floors, None if authors is None else frozenset(authors), found.sent_between(), known)


def _users(connection: Connection, name: str) -> set[int]:
    """Return the user with this name, and nothing for a name that no user can have."""
    try:
        return search_rooms.users_named(connection, skeleton(name.removeprefix("@")))
    except TooLong:
        return set()


def _rooms(connection: Connection, mine: Sequence[search_rooms.SearchedRoom], user: int, name: str) -> set[int]:
    """Return those of the user's rooms that have this name or id.

    A direct room has the names of the other members.
    """
    try:
        wanted = skeleton(name.removeprefix("#").removeprefix("@"))
    except TooLong:
        return set()
    found = {room.id for room in mine if room.kind != "direct" and skeleton(room.name) == wanted}
    found |= {room.id for room in mine if str(room.id) == name}
    others = search_rooms.users_named(connection, wanted) - {user}
    return found | search_rooms.direct_with(connection, user, others)
