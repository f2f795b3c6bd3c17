"""Valid lines of text and timestamps."""

import pytest

from hubbub.domain import text

TURNS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_topic_line_refuses_bidirectional_controls(turn: str) -> None:
    with pytest.raises(ValueError, match="direction"):
        text.check_line(f"gnp.{turn}exe")


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_description_refuses_bidirectional_controls_in_every_line(turn: str) -> None:
    with pytest.raises(ValueError, match="direction"):
        text.check_lines(f"what it is for:\ngnp.{turn}exe\n")


@pytest.mark.parametrize("control", ["\x01", "\x07", "\x1b", "\x7f", "\x85", "\x9b"], ids=ascii)
def test_a_description_refuses_control_characters_except_line_breaks(control: str) -> None:
    with pytest.raises(ValueError, match="control"):
        text.check_lines(f"what it {control}is for")


@pytest.mark.parametrize(
    "lines", ["", "one", "a\nb", "a\r\nb\n\n\tc", "a\u2028b", "שלום\nעולם, عالم", "a\u200eb\u200fc", "👩\u200d💻"]
)
def test_descriptions_in_every_script_are_accepted_unchanged(lines: str) -> None:
    assert text.check_lines(f" {lines}\n") == lines


@pytest.mark.parametrize("line", ["", "plain", "שלום, عالم", "a\u200eb\u200fc", "👩\u200d💻"])
def test_lines_in_every_script_are_accepted_unchanged(line: str) -> None:
    assert text.check_line(f" {line} ") == line


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T13:05:03Z", "2026-11-22T13:05:03.1Z", "2026-11-22T13:05:03.123456789Z",
        "2026-11-22T13:05:03+01:00", "2026-11-22T13:05:03.5-00:00",
    ],
)  # fmt: skip
def test_a_rfc_3339_timestamp_is_accepted_unchanged(moment: str) -> None:
    assert text.check_moment(moment) == moment
    assert text.milliseconds(moment) > 0


@pytest.mark.parametrize(
    "moment",
    [
        "20261122T130503Z", "2026-W47-7T13:05:03Z", "2026-11-22T13:05:03,5Z", "2026-11-22T13:05Z", "2026-11-22",
        "2026-11-22T13:05:03", "2026-11-22T13:05:03+0100", "2026-11-22T13:05:03+01:00:30", "2026-11-22T13:05:03.Z",
        "2026-13-22T13:05:03Z", "2026-11-22T25:05:03Z", "2026-11-22T13:05:03+25:00", "2026-11-22T13:05:03Z\n",
        "٢٠٢٦-11-22T13:05:03Z", "tomorrow", "",
    ],
    ids=ascii,
)  # fmt: skip
def test_an_iso_8601_timestamp_outside_rfc_3339_is_refused(moment: str) -> None:
    with pytest.raises(ValueError, match="as in 2026-11-22T13:05:03Z"):
        text.check_moment(moment)
