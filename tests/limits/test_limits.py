"""Each limit, at it and beyond it, over WebSocket and REST."""

import re
from pathlib import Path

import pytest

from hubbub.domain import emojis, identities, mentions, names, passwords, text
from hubbub.features import invites, presence
from hubbub.features import rooms as rooms_of
from hubbub.gateways.http import strict_json
from hubbub.storage import mentions as stored
from tests.limits import counts, texts
from tests.limits.register import TESTS
from tests.limits.world import World

ROOT = Path(__file__).resolve().parents[2]
MODULES = (text, names, emojis, mentions, passwords, identities, stored, invites, presence, rooms_of, strict_json)
LIMIT = re.compile(r"(MAX|MIN)_[A-Z_]+|LONGEST|LOUD_[A-Z]+|[A-Z]+_COUNTED|DEFAULT_[A-Z]+|[A-Z]+_SHOWN")
ELSEWHERE = {
    "MAX_HAVE": "tests/faults/test_rest_and_hello.py::test_have_may_name_2000_topics_and_not_one_more",
    "MAX_DEPTH": "tests/faults/test_limits.py::test_a_depth_of_32_is_read",
    "MAX_MARKS": "tests/domain/test_names.py::test_marks_are_not_stacked_over_other_lines",
    "MAX_USER_NAME": "tests/faults/test_rest_and_hello.py::test_user_names_are_checked_for_characters_and_length",
    "MAX_RUN": "tests/attention/test_parser.py::test_parsing_hostile_text_takes_linear_time",
    "MAX_HERE": "tests/attention/test_mentions.py::test_here_mentions_the_online_members_and_an_edit_keeps_them",
    "MIN_CHARACTERS": "tests/http/test_accounts.py::test_passwords_are_accepted_within_their_limits_and_refused_beyond",
    "MAX_BYTES": "tests/http/test_accounts.py::test_passwords_are_accepted_within_their_limits_and_refused_beyond",
    "MAX_BODY": "tests/http/test_bodies.py::test_a_request_body_is_accepted_at_its_limit_and_refused_beyond",
    "MAX_PATH": "tests/http/test_bodies.py::test_a_path_is_refused_for_its_length_beyond_its_limit_only",
    "MAX_QUERY": "tests/http/test_bodies.py::test_a_query_is_refused_for_its_length_beyond_its_limit_only",
    "MAX_PAGE_BYTES": "tests/messages/test_pages.py::test_pages_of_long_messages_end_by_bytes_and_lose_none",
    "MAX_SEARCH": "tests/search/test_hits.py::test_a_query_that_is_too_long_is_refused",
    "MAX_FOUND": "tests/search/test_hits.py::test_a_page_of_results_has_a_limit",
    "MAX_WEBHOOKS": "tests/webhooks/test_rights.py::test_the_number_of_webhooks_in_all_has_a_limit",
    "MAX_WANTED": "tests/mounted/test_identities.py::test_a_name_that_no_database_could_store_is_cleaned_and_cut",
    "MAX_FIELDS": "tests/http/test_bodies.py::test_a_malformed_form_is_a_bad_request",
}
"""Tests of limits that do not concern a command."""
FILES = (texts, counts)
"""Modules that register their tests in TESTS."""


@pytest.mark.parametrize("name", TESTS)
async def test_a_value_at_the_limit_works_and_one_beyond_it_is_refused_with_a_code(world: World, name: str) -> None:
    """CVE-2021-21393, -21394 (Synapse), CVE-2022-4044 (Mattermost).

    Fields had no maximum length.
    """
    await TESTS[name](world)


def limits() -> set[str]:
    return {name for module in MODULES for name in vars(module) if LIMIT.fullmatch(name)}


def test_every_limit_has_a_test() -> None:
    assert limits() - TESTS.keys() - ELSEWHERE.keys() == set()
    assert (TESTS.keys() | ELSEWHERE.keys()) - limits() == set()
    for place in ELSEWHERE.values():
        file, _, test = place.partition("::")
        assert f"def {test}" in (ROOT / file).read_text(), place


def test_control_a_limit_without_a_test_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_FORGOTTEN", 7, raising=False)
    with pytest.raises(AssertionError, match="MAX_FORGOTTEN"):
        test_every_limit_has_a_test()
