"""What a search finds: the same on both databases, in recent messages and in blocks."""

from datetime import UTC, datetime, timedelta

import pytest

from hubbub.domain.text import MAX_FOUND, MAX_SEARCH
from tests.search.conftest import Searches, blocks

TEXTS = {
    "plain": "The quick brown fox jumps over the lazy dog",
    "café": "Meet me at the Café Müller, Straße 7",
    "link": "See https://www.example.com/docs/search-index?page=42 for more",
    "mail": "Write to anna.smith@example.org please",
    "snake": "call read_file(path) or foo.bar.baz",
    "apostrophe": "I don't think it isn't so",
    "tokyo": "東京都に行きました",
    "kyoto": "京都は東にある",
    "thai": "สวัสดีครับ",
    "korean": "학교에서 만나요",
    "russian": "Ёлка стоит в углу",
    "arabic": "في ٣٤ مدينة",
    "emoji": "Done 🎉 ship it",
    "number": "The total is 1,234.50 EUR",
    "wide": "ｆｕｌｌｗｉｄｔｈ and ﬁne",
    "repeat": "fox and dog, dog and fox",
}
CASES = [
    ("fox", {"plain", "repeat"}),
    ("FOX dog", {"plain", "repeat"}),
    ("dog fox", {"plain", "repeat"}),
    ("fox cat", set()),
    ('"brown fox"', {"plain"}),
    ('"fox brown"', set()),
    ('"dog and fox"', {"repeat"}),
    ("fo", set()),
    ("fo*", {"plain", "repeat", "snake", "link"}),
    ('"brown fo"*', {"plain"}),
    ("cafe muller", {"café"}),
    ("CAFÉ", {"café"}),
    ("strasse", {"café"}),
    ("STRASSE 7", {"café"}),
    ("example.com", {"link"}),
    ("https://www.example.com/docs/search-index?page=42", {"link"}),
    ("search-index", {"link"}),
    ("index search", {"link"}),
    ("anna.smith@example.org", {"mail"}),
    ("anna", {"mail"}),
    ("example", {"link", "mail"}),
    ("read_file", {"snake"}),
    ("file", {"snake"}),
    ("bar.baz", {"snake"}),
    ("baz.bar", set()),
    ("don't", {"apostrophe"}),
    ("isn’t", {"apostrophe"}),
    ("東京", {"tokyo"}),
    ("東京都", {"tokyo"}),
    ("京", {"tokyo", "kyoto"}),
    ("都", {"tokyo", "kyoto"}),
    ("東", {"tokyo", "kyoto"}),
    ("行きました", {"tokyo"}),
    ("京東", set()),
    ("สวัสดี", {"thai"}),
    ("ครับ", {"thai"}),
    ("학교", {"korean"}),
    ("елка", {"russian"}),
    ("34", {"arabic"}),
    ("🎉", {"emoji"}),
    ("1,234.50", {"number"}),
    ("1234", set()),
    ("fullwidth fine", {"wide"}),
    ("has:link", {"link"}),
    ("has:link more", {"link"}),
    ("has:file", set()),
    ("from:anna", set(TEXTS)),
    ("from:ANNA fox", {"plain", "repeat"}),
    ("from:zoe fox", set()),
    ("in:talk fox", {"plain", "repeat"}),
    ("in:elsewhere fox", set()),
    ("after:2020 fox", {"plain", "repeat"}),
    ("before:2020 fox", set()),
    ("before:2020-13-45 fox", set()),
    ('"', set()),
    ("", set()),
    ("* - ( ) : ' AND", {"repeat", "wide"}),
    ("fox*dog", set()),
]


@pytest.fixture(params=["recent", "block"])
def where(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


async def test_a_query_finds_the_messages_it_describes(searches: Searches, where: str) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    for text in TEXTS.values():
        await searches.send(anna, room, text)
    await searches.indexed()
    if where == "block":
        await searches.pack()
    assert await blocks(searches) == (where == "block")
    names = {text: name for name, text in TEXTS.items()}
    order = list(TEXTS.values())[::-1]
    for query, wanted in CASES:
        found = await searches.find(anna, query, limit=3)
        assert {names[text] for text in found} == wanted, query
        assert found == [text for text in order if text in found], f"{query}: newest first"


async def test_highlights_are_utf16_ranges_of_the_words(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.send(anna, room, "😀 the Café, the 東京都 and the cafeteria")
    await searches.indexed()
    body = "😀 the Café, the 東京都 and the cafeteria".encode("utf-16-le")
    for query, words in {
        "cafe": ["Café"], "cafe*": ["Café", "cafeteria"], '"the cafe"': ["the", "Café"], "東京都": ["東京都"],
        "京": ["京"], "the 東": ["the", "the", "東", "the"], "from:anna": [],
    }.items():  # fmt: skip
        (found,) = (await searches.search(anna, query))["results"]
        assert [body[2 * start : 2 * end].decode("utf-16-le") for start, end in found["highlights"]] == words, query


async def test_the_last_word_is_a_beginning_while_the_user_types(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.send(anna, room, "search index")
    await searches.indexed()
    assert await searches.find(anna, "search ind", typing=True) == ["search index"]
    assert await searches.find(anna, "sear", typing=True) == ["search index"]
    assert await searches.find(anna, "sear ", typing=True) == []
    assert await searches.find(anna, "sear index", typing=True) == []
    assert await searches.find(anna, "search ind") == []


async def test_filters_say_whether_they_are_known(searches: Searches) -> None:
    anna = await searches.person("anna")
    await searches.room(anna, "Talk")
    found = await searches.search(anna, 'fox from:zoe in:talk "two words" has:link in:gone')
    assert found["query"] == {
        "words": ["fox", "two words"],
        "filters": [
            {"name": "from", "value": "zoe", "known": False},
            {"name": "in", "value": "talk", "known": True},
            {"name": "has", "value": "link", "known": True},
            {"name": "in", "value": "gone", "known": False},
        ],
    }


async def test_pins_and_mentions_are_found_as_long_as_they_are_there(searches: Searches, where: str) -> None:
    anna, ben = await searches.person("anna"), await searches.person("ben")
    room = await searches.room(anna, "Talk", ben)
    pinned = await searches.send(anna, room, "read this first")
    await searches.send(anna, room, "hello @ben, read this")
    edited = await searches.send(anna, room, "hello @ben and bye")
    await searches.send(anna, room, "hello @room")
    await searches.send(ben, room, "hello @room from ben")
    await searches.do(anna, "PUT", f"/api/rooms/{room}/pins/{pinned}")
    await searches.indexed()
    if where == "block":
        await searches.pack()
    assert await searches.find(ben, "is:pinned") == ["read this first"]
    assert await searches.find(ben, "is:pinned hello") == []
    assert await searches.find(ben, "mentions:me") == ["hello @room", "hello @ben and bye", "hello @ben, read this"]
    assert await searches.find(anna, "mentions:me") == ["hello @room from ben"]
    assert await searches.find(ben, "mentions:me read") == ["hello @ben, read this"]
    await searches.do(anna, "PATCH", f"/api/rooms/{room}/messages/{edited}", body="hello all")
    await searches.do(anna, "DELETE", f"/api/rooms/{room}/pins/{pinned}")
    assert await searches.find(ben, "is:pinned") == []
    assert await searches.find(ben, "mentions:me") == ["hello @room", "hello @ben, read this"]


async def test_direct_rooms_are_found_by_the_name_of_the_other_user(searches: Searches) -> None:
    anna, ben, eve = [await searches.person(name) for name in ("anna", "ben", "eve")]
    direct = await searches.direct(anna, ben)
    other = await searches.direct(anna, eve)
    await searches.send(anna, direct, "secret for ben")
    await searches.send(anna, other, "secret for eve")
    await searches.indexed()
    assert await searches.find(anna, "in:ben secret") == ["secret for ben"]
    assert await searches.find(anna, f"in:{other} secret") == ["secret for eve"]
    assert await searches.find(ben, "secret") == ["secret for ben"]


async def test_dates_are_days_in_utc(searches: Searches, where: str) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    await searches.send(anna, room, "fox one")
    searches.world.clock.ahead += 3 * 86_400
    anna = await searches.world.token("anna")
    await searches.send(anna, room, "fox two")
    await searches.indexed()
    if where == "block":
        await searches.pack()
    later = datetime.fromtimestamp(searches.world.clock.now() / 1_000, UTC)
    day, before, after = (f"{later + timedelta(days=days):%Y-%m-%d}" for days in (0, -1, 1))
    assert await searches.find(anna, f"fox after:{day}") == ["fox two"]
    assert await searches.find(anna, f"fox before:{day}") == ["fox one"]
    assert await searches.find(anna, f"after:{before} before:{after}") == ["fox two"]
    assert await searches.find(anna, f"fox after:{after}") == []


async def test_a_query_that_is_too_long_is_refused(searches: Searches) -> None:
    anna = await searches.person("anna")
    await searches.search(anna, "x" * MAX_SEARCH)
    answer = await anna.get("/api/search", params={"q": "x" * (MAX_SEARCH + 1)})
    assert answer.status_code == 400
    assert "500" in answer.json()["error"]["message"]


async def test_a_page_of_results_has_a_limit(searches: Searches) -> None:
    anna = await searches.person("anna")
    room = await searches.room(anna, "Talk")
    for number in range(MAX_FOUND + 1):
        await searches.send(anna, room, f"fox {number}")
    await searches.indexed()
    assert len((await searches.search(anna, "fox"))["results"]) == 20
    assert len((await searches.search(anna, "fox", limit=MAX_FOUND))["results"]) == MAX_FOUND
    for limit in (0, MAX_FOUND + 1):
        assert (await anna.get("/api/search", params={"q": "fox", "limit": limit})).status_code == 400
