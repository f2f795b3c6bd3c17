"""The tokeniser, the query language and the matching, for any text."""

import re
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.domain.model import Mentions
from hubbub.domain.search import blocks, tokens
from hubbub.domain.search.blocks import BLOCK
from hubbub.domain.search.documents import document_tokens
from hubbub.domain.search.matching import highlights
from hubbub.domain.search.query import parse
from hubbub.domain.search.tokens import MAX_TOKEN_CHARACTERS, MAX_TOKENS, Token, tokenise, words
from hubbub.domain.text import MAX_BODY_CHARACTERS, MAX_SEARCH
from tests.support.depth import rounds

PIECES = [
    "from:",
    "in:",
    "before:2026",
    "after:x",
    "has:link",
    "is:pinned",
    '"',
    "*",
    " ",
    ":",
    "-",
    "OR",
    "(",
    ")",
    "'",
]
SCRIPTS = "abcXYZ019 _-.@/éÄßøİıﬁ½①ﷺ東京都かガｶﾞ학교สวัสดีहिन्दीЁжαΩ٣٤🎉👍🏽\u0301\u200d\u200b\ufe0f\u1100\u1161\n"
texts = st.text(st.one_of(st.sampled_from(SCRIPTS), st.characters(exclude_categories=["Cs"])), max_size=200)
queries = st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(list(SCRIPTS)), texts), max_size=30).map(
    lambda parts: "".join(parts)[:MAX_SEARCH]
)


@settings(max_examples=rounds("texts", short=300, long=50_000), deadline=None)
@given(texts)
def test_tokens_are_in_order_bounded_and_free_of_separators(text: str) -> None:
    found = tokenise(text)
    assert [token.position for token in found] == sorted({token.position for token in found})
    for token in found:
        assert 0 <= token.start < token.end <= len(text)
        assert token.start < token.first_end <= token.end
        assert token.text
        assert not re.search(r"[\s=*\"]", token.text)
        assert len(token.text) <= 2 * MAX_TOKEN_CHARACTERS
    assert words(text) == {token.text for token in found}
    assert [token.start for token in found] == sorted(token.start for token in found)


@settings(max_examples=rounds("texts", short=300, long=50_000), deadline=None)
@given(texts)
def test_a_token_alone_is_the_same_token(text: str) -> None:
    for token in tokenise(text):
        again = [each.text for each in tokenise(token.text) if each.form != "last"]
        assert again == [token.text], f"{token.text!r}"


@settings(max_examples=rounds("texts", short=300, long=50_000), deadline=None)
@given(st.text(st.sampled_from("abcÄäßøŁœçñΑάΩЁйЖѣ\u0149\u01c6"), max_size=100))
def test_the_shortcut_for_plain_letters_changes_nothing(text: str) -> None:
    slow = [
        token.text for run in tokens._RUN.finditer(text) for token in tokens._of_run(text, run.start(), run.end(), 0)
    ]
    assert [token.text for token in tokenise(text)] == slow


@settings(max_examples=rounds("texts", short=300, long=50_000), deadline=None)
@given(texts, st.data())
def test_a_part_of_a_text_in_quotes_finds_the_text(text: str, data: st.DataObject) -> None:
    found = tokenise(text)
    if not found:
        return
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, min(first + 20, len(found) - 1)))
    if _cuts(found[:first], found[first], found[last], found[last + 1 :]):
        return
    part = text[found[first].start : found[last].end].replace('"', " ")
    query = parse(f'"{part}"'[:MAX_SEARCH])
    places = highlights(text, query.terms)
    assert places is not None
    searched = document_tokens(1, 1, text, None)
    for term in query.terms:
        for token in term.tokens:
            assert f" {token.text}" in searched if token.prefix else f" {token.text} " in searched


def _cuts(before: list[Token], first: Token, last: Token, after: list[Token]) -> bool:
    """Return whether a character of the text belongs to words inside and outside of the part: `0¼` is 01, 4."""
    return first.start >= last.end or any(
        one.end > other.start and "word" in (one.form, other.form)
        for some, others in ((before[-1:], [first]), ([last], after[:1]))
        for one, other in zip(some, others, strict=False)
    )


@settings(max_examples=rounds("texts", short=500, long=50_000), deadline=None)
@given(queries, st.booleans(), texts)
def test_every_text_is_a_valid_query(query: str, typing: bool, text: str) -> None:
    found = parse(query, typing=typing)
    assert all(term.tokens for term in found.terms)
    found.sent_between()
    places = highlights(text, found.terms)
    end = 0
    for start, stop in places or ():
        assert end <= start < stop <= len(text.encode("utf-16-le")) // 2
        end = stop + 1


block_tokens = st.text(st.sampled_from("abcé東=\u0fff"), min_size=1, max_size=6)


@settings(max_examples=rounds("texts", short=200, long=20_000), deadline=None)
@given(st.dictionaries(block_tokens, st.sets(st.integers(0, BLOCK - 1), min_size=1), max_size=60))
def test_a_block_contains_what_was_put_into_it(containing: dict[str, set[int]]) -> None:
    chunks = blocks.encode({token: sorted(numbers) for token, numbers in containing.items()})
    assert [token for token, _ in chunks] == sorted(token for token, _ in chunks)

    def find(needle: bytes) -> set[int]:
        return {number for _, chunk in chunks for number in blocks.decode(blocks.find(chunk, needle))}

    for token, numbers in containing.items():
        assert find(blocks.needle(token)) == numbers
        longer = {each for other, some in containing.items() if other.startswith(token) for each in some}
        assert find(blocks.prefix_needle(token)) == longer
    gone = next(iter(sorted(containing[min(containing)]))) if containing else 0
    rewritten = [
        left if (left := blocks.without(chunk, gone)) is not None else [(token, chunk)] for token, chunk in chunks
    ]
    chunks = [chunk for some in rewritten for chunk in some]
    for token, numbers in containing.items():
        assert find(blocks.needle(token)) == numbers - {gone}
        assert numbers - {gone} or all(blocks.needle(token) not in chunk for _, chunk in chunks), "no empty entries"


def test_special_tokens_are_in_no_text() -> None:
    tokens_of_text = document_tokens(7, 8, "=a8 =r7 =l =m0", Mentions(users=[255], room=False)).split()
    assert sorted(token for token in tokens_of_text if token[0] == "=") == ["=a8", "=mff", "=r7"]


def test_words_beyond_the_bounds_are_left_out() -> None:
    assert [token.text for token in tokenise("x" * 100)] == ["x" * MAX_TOKEN_CHARACTERS]
    assert len(tokenise("東" * (MAX_TOKENS + 100))) == MAX_TOKENS
    assert len(tokenise("ﷺ" * 3_000)) == MAX_TOKENS
    assert highlights("y" * 50, parse("y" * 60).terms) == [(0, 50)]


def test_no_text_takes_long_to_split() -> None:
    worst = [
        "a" * MAX_BODY_CHARACTERS, "a\u0301" * (MAX_BODY_CHARACTERS // 2), "a" + "\u0301" * (MAX_BODY_CHARACTERS - 1),
        "ﷺ" * MAX_BODY_CHARACTERS, "東" * MAX_BODY_CHARACTERS, "🎉" * MAX_BODY_CHARACTERS, "é a" * 2_600,
        "".join(f"a{chr(0x300 + n % 100)}{chr(0x316 + n % 50)}" for n in range(2_600)),
    ]  # fmt: skip

    begin = process_time()
    for text in worst:
        document_tokens(1, 1, text, None)
    assert process_time() - begin < 4.0
