"""Valid names, and when two names count as the same."""

import unicodedata
from collections.abc import Callable, Iterator

import pytest
from confusable_homoglyphs import confusables
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain import names, text


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(name: str) -> None:
    once = text.normalise(name, 1_000)
    assert text.normalise(once, 1_000) == once


@given(st.text(max_size=40))
def test_an_accepted_name_is_in_normal_form(name: str) -> None:
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
def test_invalid_user_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        names.check_user_name(name)


@pytest.mark.parametrize(
    ("name", "taken"),
    [("ᴮᴵᴳ", "BIG"), ("a" * 32, "a" * 32), ("日本の", "日本の"), ("Zoë", "Zoë"), ("x_1.y-2", "x_1.y-2")],
)
def test_valid_user_names_are_normalised_and_accepted(name: str, taken: str) -> None:
    assert names.check_user_name(name) == taken


@pytest.mark.parametrize(
    ("one", "other"), [("Alice", "alice"), ("ᴮᴵᴳ", "big"), ("\u0441\u043e\u0440", "cop"), ("Straße", "STRASSE")]
)
def test_names_that_look_alike_share_a_skeleton(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


IMITATIONS = ("aǀice", "alıce", "ɑlice", "ɑǀıce", "a\u0406\u0456ce", "alic\u0435", "ɑ1ice")
"""Names that look like alice."""


@pytest.mark.parametrize("name", IMITATIONS)
def test_letters_of_any_script_count_as_the_ones_they_look_like(name: str) -> None:
    assert names.look_alike(name, "alice")
    assert names.look_alike("alice", name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("аррӏе", "apple"), ("ɡooɡle", "google"), ("ɡ00ɡle", "google"), ("Weiß", "WEISS"), ("ſam", "sam")],
)
def test_whole_names_in_another_script_or_with_digits_look_alike(one: str, other: str) -> None:
    assert names.look_alike(one, other)


def imitations(of: str) -> Iterator[str]:
    """Yield `of` with each of its letters replaced by each character of Unicode's table that looks like it."""
    for listed, shapes in confusables.confusables_data.items():
        character = listed.replace("\u200e", "") or listed
        for shape in {each["c"].casefold() for each in shapes}:
            if shape in of and shape.isascii() and not character.isascii():
                yield of.replace(shape, character)


def taken(of: str) -> list[str]:
    """Return the imitations that a user could have as a name, besides those that become plain ASCII."""
    found = []
    for name in imitations(of):
        try:
            checked = names.check_user_name(name)
        except ValueError:
            continue
        if not (checked.isascii() or names.look_alike(checked, of) or names.is_reserved(checked)):
            found.append(name)
    return found


@pytest.mark.parametrize("of", ["alice", "google", "paypal.com", "all", "everyone", "hubbub", "deleted-1"])
def test_no_character_of_unicodes_table_makes_a_name_look_like_another_one(of: str) -> None:
    assert len(list(imitations(of))) > 50
    assert taken(of) == []


def test_control_without_the_letters_of_latin_script_names_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {letter: shape for letter, shape in names._LOOK_ALIKES.items() if names._script(letter) != "LATIN"}
    names.skeleton.cache_clear()
    monkeypatch.setattr(names, "_LOOK_ALIKES", fewer)
    assert {"aǀice", "alıce", "ɑlice"} <= set(taken("alice"))
    names.skeleton.cache_clear()


@pytest.mark.parametrize(("one", "other"), [("user1", "userl"), ("b0b", "bob"), ("rn", "m"), ("a.b", "ab")])
def test_different_ascii_names_have_different_skeletons(one: str, other: str) -> None:
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.parametrize("name", ["Everyone", "HERE", "Hubbub", "ｓｙｓｔｅｍ", "ɑll", "ɑ11", "deǀeted-1", "еvеrуоnе"])
def test_names_that_look_official_are_reserved(name: str) -> None:
    assert names.is_reserved(name)
    assert not names.is_reserved(name + "x") or names.is_neutral(name)


@pytest.mark.parametrize(
    ("body", "fits"),
    [("x" * 8_000, True), ("x" * 8_001, False), ("😀" * 4_096, True), ("😀" * 4_097, False), (" \n", False)],
)
def test_a_body_is_accepted_up_to_its_limits(body: str, fits: bool) -> None:
    if fits:
        assert text.check_body(body) == body
    else:
        with pytest.raises(ValueError):
            text.check_body(body)


@given(st.text())
def test_one_line_returns_one_line_without_control_characters(line: str) -> None:
    shown = text.one_line(line)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    shown.encode()


@pytest.mark.parametrize(
    "line",
    [
        "全角\u3000空白", "10\u00a0000\u202f€", "👨\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e007f",
        "می\u200cخواهم", "क्\u200dष", "\u200fשלום", "co\u00adop", "\U00033479",
    ],
)  # fmt: skip
def test_one_line_keeps_blanks_and_the_joiners_of_scripts_and_emoji(line: str) -> None:
    assert text.one_line(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("\x85\u2028\u2029", "\\x85\\u2028\\u2029"),
        ("\u202egpj\ud800", "\\u202egpj\\ud800"),
    ],
)
def test_one_line_escapes_what_forges_lines_or_turns_text_around(line: str, shown: str) -> None:
    assert text.one_line(line) == shown


@pytest.mark.parametrize("name", ["👨‍👩‍👧 family", "🏳️‍🌈", "❤️"])
def test_composed_emoji_are_valid_room_names(name: str) -> None:
    assert names.check_room_name(name) == name


@pytest.mark.parametrize("name", ["\u3164", "\u200d", " \u200d\ufe0f "])
def test_a_room_name_needs_a_visible_character(name: str) -> None:
    with pytest.raises(ValueError):
        names.check_room_name(name)


def test_invisible_characters_do_not_change_the_skeleton() -> None:
    assert names.skeleton("al\u200dice\ufe0f\u034f") == "alice"


@given(st.text(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_the_search_key_of_a_name_contains_the_keys_of_its_ascii_parts(name: str, begin: int, end: int) -> None:
    name = "".join(character for character in name if character.isascii())
    part = names.search_key(name[begin:end]).removeprefix(names.WORD_START)
    assert part in names.search_key(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Anna-Lena", "|anna-|lena"),
        ("Müller", "|muller"),
        ("ŁÓDŹ", "|lodz"),
        ("straße", "|strasse"),
        ("İstanbul", "|istanbul"),
        ("\N{CYRILLIC SMALL LETTER A}lice", "|alice"),
        ("हिन्दी", "|हिन्दी"),
        ("🎉 party!", "🎉 |party!"),
        ("", ""),
    ],
)
def test_a_search_key_folds_case_accents_and_look_alikes_and_marks_words(name: str, key: str) -> None:
    assert names.search_key(name) == key.replace("|", names.WORD_START)


def test_a_text_too_long_for_a_name_has_no_search_key() -> None:
    with pytest.raises(text.TooLong):
        names.search_key("x" * 1_000)


@pytest.mark.parametrize("check", [names.check_user_name, names.check_room_name])
def test_marks_are_not_stacked_over_other_lines(check: Callable[[str], str]) -> None:
    tower = "x\u0317\u0324\u0330\u0306"
    with pytest.raises(ValueError, match="marks"):
        check(tower)
    assert check(tower[:-1]) == tower[:-1]


@pytest.mark.parametrize("name", ["हिन्दी", "בְּרֵאשִׁ֖ית", "སྒྲུབ", "ไม้ไต่คู้", "Việt", "مُحَمَّد"])
def test_names_of_scripts_with_marks_are_accepted(name: str) -> None:
    assert names.check_user_name(name)
