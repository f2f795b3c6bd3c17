"""The public API does not change by accident."""

from tests.house import api

HOW = "If the change is intended: python -m tests.house.api, and a line in CHANGELOG.md"


def gone_and_new(stored: list[str], found: list[str]) -> tuple[list[str], list[str]]:
    """Return removed and added lines. New settings do not count.

    They change nothing for existing users.
    """
    gone = [line for line in stored if line not in found]
    new = [line for line in found if line not in stored and not line.startswith("hubbub.Settings.")]
    return gone, new


def test_the_public_api_matches_the_stored_one() -> None:
    gone, new = gone_and_new(api.STORED.read_text().splitlines(), api.lines())
    assert (gone, new) == ([], []), HOW


def test_a_changed_signature_a_new_name_and_a_lost_setting_are_detected() -> None:
    stored = api.STORED.read_text().splitlines()
    changed = [line.replace("message: str", "message: bytes") for line in stored]
    gone, new = gone_and_new(stored, changed)
    assert len(gone) == len(new) > 0
    shout = "hubbub.Client.shout(self)"
    assert gone_and_new(stored, [*stored, shout]) == ([], [shout])
    port = next(line for line in stored if line.startswith("hubbub.Settings.port"))
    assert gone_and_new(stored, [line for line in stored if line != port]) == ([port], [])
    assert gone_and_new(stored, [*stored, "hubbub.Settings.brand_new: int = 1"]) == ([], [])
