"""Names: what is one, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain import names, text


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(name: str) -> None:
    once = text.normalise(name, 1_000)
    assert text.normalise(once, 1_000) == once


@given(st.text(max_size=40))
def test_a_name_is_taken_in_normal_form_or_refused(name: str) -> None:
    for check in (names.check_user_name, names.check_room_name):
        try:
            taken = check(name)
        except ValueError:
            continue
        assert check(taken) == taken
        assert names.skeleton(taken) == names.skeleton(name.strip()) or check is names.check_room_name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "al ice",
        "al#ice",
        "a\u200bb",
        "a\u202eb",
        "\u0430dmin",
        "a\nb",
        "a\x00b",
        "...",
        "a" * 33,
        "\ud800",
        "a,b",
        "<b>",
        "alice\ufe0f",
        "alice\u034f",
        "alice\U000e0100",
        "\u1160",
        "\u3164",
    ],
)
def test_what_cannot_be_a_user_name(name: str) -> None:
    with pytest.raises(ValueError):
        names.check_user_name(name)


@pytest.mark.parametrize(
    ("name", "taken"),
    [("ᴮᴵᴳ", "BIG"), ("a" * 32, "a" * 32), ("日本の", "日本の"), ("Zoë", "Zoë"), ("x_1.y-2", "x_1.y-2")],
)
def test_what_can(name: str, taken: str) -> None:
    assert names.check_user_name(name) == taken


@pytest.mark.parametrize(
    ("one", "other"), [("Alice", "alice"), ("ᴮᴵᴳ", "big"), ("\u0441\u043e\u0440", "cop"), ("Straße", "STRASSE")]
)
def test_names_that_look_alike_are_one(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("user1", "userl"), ("b0b", "bob"), ("rn", "m"), ("a.b", "ab")])
def test_plain_ascii_names_are_never_confused(one: str, other: str) -> None:
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.parametrize("name", ["Everyone", "HERE", "Hubbub", "ｓｙｓｔｅｍ"])
def test_names_that_pass_for_the_system_are_reserved(name: str) -> None:
    assert names.is_reserved(name)
    assert not names.is_reserved(name + "x")


@pytest.mark.parametrize(
    ("body", "fits"),
    [("x" * 8_000, True), ("x" * 8_001, False), ("😀" * 4_096, True), ("😀" * 4_097, False), (" \n", False)],
)
def test_a_body_has_its_limits_and_one_past_them(body: str, fits: bool) -> None:
    if fits:
        assert text.check_body(body) == body
    else:
        with pytest.raises(ValueError):
            text.check_body(body)


@given(st.text())
def test_one_line_is_one_line(line: str) -> None:
    shown = text.one_line(line)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()


@pytest.mark.parametrize("name", ["👨‍👩‍👧 family", "🏳️‍🌈", "❤️"])
def test_emoji_of_several_parts_are_room_names(name: str) -> None:
    assert names.check_room_name(name) == name


@pytest.mark.parametrize("name", ["\u3164", "\u200d", " \u200d\ufe0f "])
def test_a_room_needs_something_to_see(name: str) -> None:
    with pytest.raises(ValueError):
        names.check_room_name(name)


def test_what_nobody_sees_makes_no_other_name() -> None:
    assert names.skeleton("al\u200dice\ufe0f\u034f") == "alice"
