"""Where links begin and end, by a corpus shared with the web client (`web/tests/markup.test.ts`)."""

import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from hubbub.domain import mentions
from hubbub.domain.links import links
from hubbub.domain.search.matching import has_link

CORPUS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "contract" / "fixtures" / "links.json").read_text()
)
SIZE = 64 * 1024


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["why"])
def test_a_text_has_the_links_that_the_corpus_lists(case: dict[str, Any]) -> None:
    assert list(links(case["body"])) == case["links"]
    assert has_link(case["body"]) == bool(case["links"])


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("https://example.org/@anna", ()),
        ("“https://example.org/”@anna", ("anna",)),
        ("看https://example.org。@anna", ("anna",)),
        ("(https://example.org/@ben)@anna", ("anna",)),
        ("it's https://example.org/it's/@anna", ()),
        ("ftp://example.org/@anna @ben", ("ben",)),
    ],
)
def test_a_mention_counts_after_the_end_of_a_link_and_not_in_it(body: str, names: tuple[str, ...]) -> None:
    assert mentions.find(body).names == names


HOSTILE = [
    "https://",
    "https://a]",
    "https://a'",
    "https://a.あ",
    "https://a.a.",
    "https://あ・",
    "https://(",
    "あ",
    "'",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_links_in_hostile_text_are_found_in_linear_time(piece: str) -> None:
    text = (piece * SIZE)[:SIZE]
    assert min(_seconds(text) for _ in range(3)) < 0.2  # It is quick on a quiet machine; quadratic time takes seconds.


def _seconds(text: str) -> float:
    before = process_time()
    list(links(text))
    mentions.find(text + "@a")
    return process_time() - before
