"""Which names a text mentions, by a corpus shared with the web client."""

import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from hubbub.domain import mentions
from hubbub.domain.mentions import MentionedNames

CORPUS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "contract" / "fixtures" / "mentions.json").read_text()
)
SIZE = 64 * 1024


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["why"])
def test_a_text_mentions_the_names_that_the_corpus_lists(case: dict[str, Any]) -> None:
    assert mentions.find(case["body"]) == MentionedNames(tuple(case["names"]), case["room"], case["here"])
    if "pieces" in case:
        assert cut(case["body"]) == case["pieces"]


def cut(body: str) -> list[list[str]]:
    """Return the text in pieces as the web client shows it."""
    found, at = [], 0
    for piece in mentions.pieces(body):
        found += [["text", body[at : piece.start]], [piece.kind, body[piece.start : piece.end]]]
        at = piece.end
    return [part for part in [*found, ["text", body[at:]]] if part[1]]


@pytest.mark.parametrize(
    ("run", "names"),
    [
        ("anna", ["anna"]), ("anna.", ["anna.", "anna"]), ("ben_.", ["ben_.", "ben_", "ben"]),
        ("anna......", ["anna......", "anna.....", "anna....", "anna...", "anna"]),
        ("a" * 32 + "..", ["a" * 32]), ("ａｎｎａ", ["anna"]), ("e\u0301", ["é"]),
    ],
)  # fmt: skip
def test_a_run_is_a_candidate_name_with_and_without_trailing_punctuation(run: str, names: list[str]) -> None:
    assert mentions.candidates(run) == names


HOSTILE = {
    "signs": "@", "words": "@a", "mentions": " @a", "backticks": "`", "open code": "` ", "links": "://a",
    "lines": "\n", "blank lines": "\n ", "fences": "```\n", "long runs": " @" + "é" * 120, "marks": "@e\u0301 ",
    "backslashes": "\\", "dots": " @a" + "." * 100, "blanks": " ", "everybody": "@room ", "schemes": "a://",
    "letters": "a",
}  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_parsing_hostile_text_takes_linear_time(piece: str) -> None:
    text = (piece * SIZE)[: SIZE - 2] + "@a"
    assert min(seconds(text) for _ in range(3)) < 0.05 * 4  # Four times the promised bound: other work slows this down.


def seconds(text: str) -> float:
    before = process_time()
    mentions.find(text)
    return process_time() - before
