"""Tokens: creation, strict verification, and forgeries that must be refused."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain.errors import Unauthenticated
from hubbub.protocol.tokens import (
    AUDIENCE,
    ISSUER,
    TYPE,
    Claims,
    Credential,
    Reference,
    Tokens,
    new_secret,
    secret_hash,
)

KEY = bytes(range(32))
NOW = 1_790_000_000_000
TOKENS = Tokens(KEY)
GOOD: dict[str, Any] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": "7", "sid": "session", "iat": NOW // 1000, "exp": NOW // 1000 + 600,
}  # fmt: skip


def signed(claims: dict[str, Any], key: bytes = b"", algorithm: str = "HS256", **header: Any) -> str:
    """Return a token signed by the server, valid except for what is given."""
    return jwt.encode(claims, key or TOKENS._access, algorithm=algorithm, headers={"typ": TYPE, **header})


def raw(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, signature])


def test_a_token_names_its_user_and_session_until_it_expires() -> None:
    token = TOKENS.access(7, "session", NOW, 600)
    assert TOKENS.verify(token, NOW) == Claims(7, "session", NOW // 1000)
    assert TOKENS.verify(token, NOW + 599_999) == Claims(7, "session", NOW // 1000)
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token, NOW + 600_000)
    assert TOKENS.verify(signed(GOOD), NOW) == Claims(7, "session", NOW // 1000)


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b.c", "null", "x" * 5_000, "é", "\ud800",
        raw({"alg": "none", "typ": TYPE}, GOOD), raw({"alg": "None", "typ": TYPE}, GOOD),
        raw({"typ": TYPE}, GOOD, "AAAA"), raw({"alg": "HS256", "typ": TYPE}, GOOD),
        signed(GOOD, TOKENS._access * 2, algorithm="HS512"),
        signed(GOOD, TOKENS._access * 2, algorithm="HS384"), signed(GOOD, key=KEY),
        signed(GOOD, key=b"another key of thirty-two bytes!"), signed(GOOD, typ="JWT"), signed(GOOD, typ="at+JWT"),
        signed(GOOD, crit=["x"], x=1), signed({**GOOD, "iss": "somebody"}), signed({**GOOD, "aud": "somebody"}),
        signed({**GOOD, "exp": NOW // 1000}), signed({**GOOD, "exp": "soon"}), signed({**GOOD, "exp": 1e300}),
        signed({**GOOD, "sub": "-7"}), signed({**GOOD, "sub": "seven"}), signed({**GOOD, "sid": 5}),
        *(signed({name: value for name, value in GOOD.items() if name != missing}) for missing in GOOD),
        TOKENS.access(7, "session", NOW) + "x", TOKENS.access(7, "session", NOW)[:-2], TOKENS.refresh("session", 0),
        Tokens(b"another key of thirty-two bytes!").access(7, "session", NOW),
    ],
    ids=lambda token: repr(token[:20]),
)  # fmt: skip
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token, NOW)


@given(st.text(max_size=100))
def test_arbitrary_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(text, NOW)
    with pytest.raises(Unauthenticated):
        TOKENS.parse_refresh(text)


@given(st.text("abcXYZ019_-", min_size=1, max_size=30), st.integers(0, 2**40))
def test_a_refresh_token_parses_to_what_it_was_made_of(session: str, generation: int) -> None:
    token = TOKENS.refresh(session, generation)
    assert TOKENS.parse_refresh(token) == (session, generation)
    for forged in (token[:-1], token.replace(f".{generation}.", f".{generation + 1}."), TOKENS.access(7, session, NOW)):
        with pytest.raises(Unauthenticated):
            TOKENS.parse_refresh(forged)


def test_derived_secrets_are_repeatable_and_never_collide() -> None:
    made = [
        TOKENS.derived("invite", 7, "a"), TOKENS.derived("invite", 7, "b"), TOKENS.derived("invite", 71, "a"),
        TOKENS.derived("other", 7, "a"), TOKENS.derived("invite", 7, "a", ""), TOKENS.derived("invite", "7\x001:a"),
    ]  # fmt: skip
    assert len(set(made)) == len(made)
    assert TOKENS.derived("invite", 7, "a") == made[0]
    assert Tokens(b"another key of thirty-two bytes!").derived("invite", 7, "a") != made[0]


def test_a_credential_resolves_to_its_session_reference() -> None:
    assert TOKENS.reference(Credential("cookie", "value"), NOW) == Reference(secret_hash("value"))
    assert TOKENS.reference(Credential("bearer", TOKENS.access(7, "session", NOW)), NOW) == Reference(
        "session", NOW // 1000
    )
    with pytest.raises(Unauthenticated):
        TOKENS.reference(Credential("bearer", "value"), NOW)


def test_short_keys_are_refused_and_secrets_keep_all_their_bits() -> None:
    with pytest.raises(ValueError):
        Tokens(bytes(31))
    assert new_secret(bytes(32)) != new_secret(bytes([*bytes(31), 1]))
    assert len(new_secret(bytes(16))) == 22
