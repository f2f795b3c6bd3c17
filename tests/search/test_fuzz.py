"""Any text is a valid query: no error of the server, and no result that the reader may not read."""

import random
import time
from typing import Any

from hubbub.domain.text import MAX_SEARCH
from hubbub.features import search
from hubbub.features.search import SearchRequest
from tests.search.conftest import Searches
from tests.support import depth
from tests.support.timing import ATTEMPTS

MILLISECONDS = 200
PIECES = [
    '"', "'", "*", "-", ".", ":", "(", ")", "^", "~", "&", "|", "!", "\\\\", "/", "%", "_", "$$", ";", "--",
    "/*", "<->", " ", "\t", "\n", "AND", "OR", "NOT", "NEAR(", "from:", "in:", "before:", "after:", "has:link",
    "is:pinned", "mentions:me", "from:anna", 'in:"Room', "before:2026-02-31", "after:99999", "before:0000",
    "fox", "foxes", "東京", "京", "ﷺ", "é", "e\u0301" * 30, "\u200d", "\ufeff", "\u202e", "🎉",
    "'; DROP TABLE messages; --", "{}", "[]", "NULL", "0x00", "1e999", "=a1", "=r1", "=l", "\x01", "\x7f",
    "\x85", "\U0010ffff", "ｆ", "ı", "İ", "ß", "x" * 60,
]  # fmt: skip


def query() -> str:
    kind = random.random()
    if kind < 0.7:
        return "".join(random.choices(PIECES, k=random.randint(0, 12)))[:MAX_SEARCH]
    if kind < 0.9:
        return " ".join(random.choices(PIECES, k=random.randint(0, 40)))[:MAX_SEARCH]
    points = [random.choice((random.randint(1, 0x7F), random.randint(0x80, 0xD7FF), random.randint(0xE000, 0x10FFFF)))
              for _ in range(random.randint(0, MAX_SEARCH))]  # fmt: skip
    return "".join(map(chr, points))


def searched(connection: Any, user: int, request: SearchRequest) -> tuple[float, dict[str, Any]]:
    begin = time.thread_time()
    found: dict[str, Any] = search.page(connection, user, request)
    return 1_000 * (time.thread_time() - begin), found


async def test_any_query_is_answered_quickly_with_what_the_reader_may_read(searches: Searches) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    shared = await searches.room(anna, "Room one", ben, history="joined")
    hidden = await searches.room(anna, "Hidden")
    for number in range(30):
        piece = " ".join(random.choices(PIECES, k=8)).replace("\x00", "") + " fox 東京都"
        await searches.send(anna, (shared, hidden)[number % 2], piece)
    await searches.indexed()
    await searches.pack()
    await searches.send(anna, shared, "fox recent")
    await searches.indexed()
    slow = []
    hits = 0
    for number in range(depth.rounds("queries", short=600, long=50_000)):
        text = query()
        request = SearchRequest(
            text, random.random() < 0.5, random.choice((None, None, 2**50, 1)), random.randint(1, 50)
        )
        took, found = await searches.world.services.read(searched, ben.id, request)
        assert {each["message"]["room"] for each in found["results"]} <= {shared}, text
        hits += len(found["results"])
        attempts = [took]
        while attempts[-1] > MILLISECONDS and len(attempts) < ATTEMPTS:  # the machine may have stood still
            attempts.append((await searches.world.services.read(searched, ben.id, request))[0])
        if min(attempts) > MILLISECONDS:
            slow.append((min(attempts), text))
        if number % 20 == 0:  # over HTTP: never a 5xx
            await searches.search(ben, text)
    assert hits
    assert slow == []


async def test_a_query_with_a_null_or_a_lone_surrogate_is_refused(searches: Searches) -> None:
    anna = await searches.person("anna")
    for text in ("%00", "a%00b", "%ED%A0%80", "%FF"):
        answer = await anna.get(f"/api/search?q={text}")
        assert answer.status_code in (200, 400), text
    assert (await anna.get("/api/search?q=%00")).status_code == 400
    assert (await anna.get("/api/search")).status_code == 400
