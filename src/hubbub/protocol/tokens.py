"""Access tokens (JWT), refresh tokens and derived secrets.

Pure: time and randomness are arguments.

There is one algorithm, one key and a fixed set of claims (RFC 8725, sections 3.1 and 3.11): a token
cannot choose how it is verified. A valid signature is not enough, because every use looks up the
token's session.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import jwt

from hubbub.domain.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"  # RFC 9068, section 2.1
ISSUER = AUDIENCE = "hubbub"
MAX_TOKEN = 2_048
MIN_KEY = 32
CLAIMS = frozenset({"iss", "aud", "sub", "sid", "iat", "exp"})


@dataclass(frozen=True, slots=True)
class Credential:
    """A browser's cookie, or a bearer token from a header or from `hello`."""

    kind: Literal["cookie", "bearer"]
    value: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a valid access token."""

    user: int
    session: str
    issued_at: int
    """In seconds since 1970."""


class Reference(NamedTuple):
    """What finds the session of a credential: its id, or the hash of its cookie."""

    session: str
    issued_at: int | None = None
    """When an access token was issued, in seconds since 1970."""


class Tokens:
    """Signs and verifies tokens. Each purpose has a key derived from the server's."""

    def __init__(self, key: bytes) -> None:
        """Derive the keys. Raises ValueError for a key that is too short."""
        if len(key) < MIN_KEY:
            raise ValueError(f"the signing key must have at least {MIN_KEY} bytes")
        self._access = _derive(key, "access")
        self._refresh = _derive(key, "refresh")
        self._secrets = _derive(key, "secrets")

    def access(self, user: int, session: str, now_ms: int, lifetime: int = 600) -> str:
        """Return an access token that is valid for `lifetime` seconds."""
        issued = now_ms // 1000
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user), "sid": session, "iat": issued}
        return jwt.encode(
            {**claims, "exp": issued + lifetime}, self._access, algorithm=ALGORITHM, headers={"typ": TYPE}
        )

    def verify(self, token: str, now_ms: int) -> Claims:
        """Return the claims of a valid access token.

        Raises Unauthenticated, and nothing else.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            raise Unauthenticated()
        try:
            decoded = jwt.decode_complete(
                token,
                self._access,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # The current time is an argument, so `_claims` compares it.
                options={"require": sorted(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.PyJWTError:
            raise Unauthenticated() from None
        return _claims(decoded["header"], decoded["payload"], now_ms // 1000)

    def refresh(self, session: str, generation: int) -> str:
        body = f"{session}.{generation}"
        return f"{body}.{_encode(_sign(self._refresh, body))}"

    def parse_refresh(self, token: str) -> tuple[str, int]:
        """Return (session, generation) of a valid refresh token. Raises Unauthenticated."""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise Unauthenticated()
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, _encode(_sign(self._refresh, body))):
            raise Unauthenticated()
        session, _, generation = body.rpartition(".")
        return session, int(generation)

    def derived(self, purpose: str, *parts: object) -> str:
        """Return the secret derived from a purpose and parts: 256 bits in base64url."""
        return _encode(_sign(self._secrets, "\x00".join([purpose, *(f"{len(str(p))}:{p}" for p in parts)])))

    def reference(self, credential: Credential, now_ms: int) -> Reference:
        """Return the reference of the session: a cookie's hash, or a token's session.

        Raises Unauthenticated.
        """
        if credential.kind == "cookie":
            return Reference(secret_hash(credential.value))
        claims = self.verify(credential.value, now_ms)
        return Reference(claims.session, claims.issued_at)


def secret_hash(token: str) -> str:
    """Return the stored form of a 256-bit secret: its SHA-256 in hexadecimal."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def new_secret(random: bytes) -> str:
    """Return `random` as text for URLs and headers: base64url without padding."""
    return _encode(random)


def _claims(header: dict[str, Any], payload: dict[str, Any], now: int) -> Claims:
    user, session, issued, expires = payload["sub"], payload["sid"], payload["iat"], payload["exp"]
    if type(issued) is not int:
        raise Unauthenticated()
    if header.get("typ") != TYPE or not isinstance(session, str) or type(expires) is not int or expires <= now:
        raise Unauthenticated()
    if not user.isdecimal():
        raise Unauthenticated()
    return Claims(int(user), session, issued)


def _derive(key: bytes, purpose: str) -> bytes:
    return _sign(key, f"hubbub {purpose}")


def _sign(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
