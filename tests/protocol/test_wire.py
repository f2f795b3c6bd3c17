"""Strict JSON parsing: refuse what could break later code."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain.errors import BadRequest
from hubbub.domain.text import MAX_DEPTH
from hubbub.protocol import wire


def nested(depth: int) -> str:
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "1", '"a"', "null", '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":1e999}',
        '{"a":1,"a":2}', '{"b":{"a":1,"a":2}}', '{"a":"\\u0000"}', '{"\\u0000":1}', '{"a":"\\ud800"}',
        '{"a":["\\udfff"]}', '{"a":"\x00"}', '{"a":1}x', "{'a':1}", '{"a":1,}', nested(MAX_DEPTH + 1), "[" * 100_000,
        '{"a":' * 50_000,
    ],
)  # fmt: skip
def test_dangerous_json_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        wire.parse(text)


DEEP = f"JSON can be nested at most {MAX_DEPTH} levels deep."
TWICE = "Duplicate keys in an object are not allowed."
LONE = "Lone surrogates are not allowed."
NUMBER = "NaN and Infinity are not allowed."
INVALID = "This is not valid JSON."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", INVALID), ("{", INVALID), ('{"a":1,}', INVALID), ('{"a":1}x', INVALID), ('{"a":"\x00"}', INVALID),
        ("\ufeff{}", INVALID), ('{"a":"\ud800"}', INVALID), ('{"a":' + "1" * 5_000 + "}", INVALID),
        ("[]", "A JSON object is expected."), ("1", "A JSON object is expected."),
        ('{"a":NaN}', NUMBER), ('{"a":[Infinity]}', NUMBER), ('{"a":-Infinity}', NUMBER),
        ('{"a":1e999}', "This number is too large."), ('{"a":[-1e999]}', "This number is too large."),
        ('{"a":1,"a":2}', TWICE), ('{"a":1,"\\u0061":2}', TWICE), ('{"b":[{"a":1,"a":2}]}', TWICE),
        ('{"recursion limit":1,"recursion limit":1}', TWICE), ('{"surrogate":1,"surrogate":1}', TWICE),
        ('{"a":"\\ud800"}', LONE), ('{"a":"\\udfff"}', LONE), ('{"a":"\\ud83dx"}', LONE),
        ('{"a":"\\ud83d\\u0041"}', LONE), ('{"\\ud800":1}', LONE), ('{"a":["\\udfff"]}', LONE),
        ('{"a":"\\u0000"}', "U+0000 is not allowed."), ('{"\\u0000":1}', "U+0000 is not allowed."),
        ('{"a":[{"b":"\\u0000"}]}', "U+0000 is not allowed."),
        (nested(MAX_DEPTH + 1), DEEP), (nested(150), DEEP), (nested(20_000), DEEP),
        ('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", DEEP), ("[" * 100_000, DEEP),
    ],
)  # fmt: skip
def test_each_kind_of_refused_json_has_its_sentence(text: str, sentence: str) -> None:
    """jiter words some of its errors itself, so a new version of it must keep the words that `wire` looks for."""
    with pytest.raises(BadRequest) as raised:
        wire.parse(text)
    assert raised.value.message == sentence


@pytest.mark.parametrize("bytes_", [b"\xff", b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}'])
def test_bytes_that_are_not_utf8_are_refused(bytes_: bytes) -> None:
    with pytest.raises(BadRequest):
        wire.parse(bytes_)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a":"\\\\u0000"}', {"a": "\\u0000"}),
        ('{"a":"' + "{[" * 40 + '"}', {"a": "{[" * 40}),
        ('{"a":"https://example.org","b":"[x](y): 10:30"}', {"a": "https://example.org", "b": "[x](y): 10:30"}),
        (nested(MAX_DEPTH), None),
    ],
)
def test_json_that_only_looks_dangerous_is_accepted(text: str, value: object) -> None:
    found = wire.parse(text)
    assert value is None or found == value


@given(st.text())
def test_any_text_is_an_object_or_a_bad_request(text: str) -> None:
    with suppress(BadRequest):
        assert isinstance(wire.parse(text), dict)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c:", "{", '\\"', "["]),
            st.sampled_from(["1", "1e5", '"x"', '":"', "null", '"{"', "1.0"]),
        )
    ),
    st.sampled_from(["", " ", "\n"]),
)
def test_the_fast_and_the_strict_parser_agree(pairs: list[tuple[str, str]], blank: str) -> None:
    text = "{" + ",".join(f'"{key}"{blank}:{blank}{value}' for key, value in pairs) + "}"
    try:
        strict = wire._parse(text)
    except (BadRequest, ValueError):
        with pytest.raises(BadRequest):
            wire.parse(text)
    else:
        assert wire.parse(text) == strict
