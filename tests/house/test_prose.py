"""Prose names its actors.

Actors are the client, the server or the user. Indefinite pronouns are rare.
"""

import pytest

from tests.house import prose


@pytest.mark.parametrize("area", prose.LIMITS)
def test_indefinite_pronouns_are_rare(area: str) -> None:
    found = prose.area(area)
    assert len(found) > 100, "almost no prose was found: nothing is measured"
    rate = prose.rate(found)
    assert rate <= prose.LIMITS[area], f"{rate:.2f} per 1,000 words; `python -m tests.house.prose {area}` lists them"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The server answers the client that sent the command.", 0),
        ("One connection has one outbox; one of them is enough.", 0),
        ("Whoever sends hears what somebody else has said to nobody.", 3),
        ("What one writes is kept until one logs out.", 2),
        ("He is told, and the message is his.", 2),
    ],
)
def test_the_count_finds_pronouns_for_people_and_nothing_else(text: str, expected: int) -> None:
    assert prose.count(text) == expected
