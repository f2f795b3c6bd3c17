"""Lines and moments: what is one."""

import pytest

from hubbub.domain import text

TURNS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_topic_does_not_turn_round_what_is_around_it(turn: str) -> None:
    with pytest.raises(ValueError, match="direction"):
        text.check_line(f"gnp.{turn}exe")


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_description_does_not_turn_anything_round_in_any_of_its_lines(turn: str) -> None:
    with pytest.raises(ValueError, match="direction"):
        text.check_lines(f"what it is for:\ngnp.{turn}exe\n")


@pytest.mark.parametrize("control", ["\x01", "\x07", "\x1b", "\x7f", "\x85", "\x9b"], ids=ascii)
def test_a_description_has_no_control_characters_but_line_breaks(control: str) -> None:
    with pytest.raises(ValueError, match="control"):
        text.check_lines(f"what it {control}is for")


@pytest.mark.parametrize(
    "lines", ["", "one", "a\nb", "a\r\nb\n\n\tc", "a\u2028b", "שלום\nעולם, عالم", "a\u200eb\u200fc", "👩\u200d💻"]
)
def test_descriptions_in_every_script_are_as_they_were_written(lines: str) -> None:
    assert text.check_lines(f" {lines}\n") == lines


@pytest.mark.parametrize("line", ["", "plain", "שלום, عالم", "a\u200eb\u200fc", "👩\u200d💻"])
def test_lines_of_every_script_are_lines(line: str) -> None:
    assert text.check_line(f" {line} ") == line


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T13:05:03Z", "2026-11-22T13:05:03.1Z", "2026-11-22T13:05:03.123456789Z",
        "2026-11-22T13:05:03+01:00", "2026-11-22T13:05:03.5-00:00",
    ],
)  # fmt: skip
def test_a_moment_is_taken_as_it_is(moment: str) -> None:
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
def test_what_is_iso_8601_and_not_rfc_3339_is_no_moment(moment: str) -> None:
    with pytest.raises(ValueError, match="as in 2026-11-22T13:05:03Z"):
        text.check_moment(moment)
