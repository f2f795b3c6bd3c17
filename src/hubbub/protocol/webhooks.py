"""What is sent to webhooks: the body and the headers of the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import orjson

SECRET = "whsec_"  # noqa: S105  the beginning of every secret
MAX_RETRY_AFTER = 64
"""Characters of a header that tells when to retry."""


def new_secret(random: bytes) -> str:
    """Return a secret made from random bytes."""
    return SECRET + b64encode(random).decode()


def secret_of(derived: str) -> str:
    """Return a secret from a derived one, which is base64url without padding."""
    return new_secret(urlsafe_b64decode(derived + "=" * (-len(derived) % 4)))


def message_id(epoch: str, webhook: int, room: int | None, seq: int) -> str:
    """Return the id of a message: always the same for an event and a webhook.

    The receiver recognises by it what it has processed before. The epoch is a part of it: after the
    database went back in time, a seq stands for another event.
    """
    return f"msg_{epoch}_{webhook}_{'test' if room is None else room}_{seq}"


def body(type_: str, at: str, text: bytes) -> bytes:
    """Return the body of a message. `text` is the encoded event."""
    return b'{"type":"%b","timestamp":"%b","data":%b}' % (type_.encode(), at.encode(), text)


def test_text(webhook: int) -> bytes:
    """Return the data of a test event."""
    return orjson.dumps({"webhook": webhook, "text": "This is a test event."})


def headers(secrets: Sequence[str], id_: str, seconds: int, content: bytes) -> dict[str, str]:
    """Return the headers of a message. It has one signature for each secret."""
    signed = f"{id_}.{seconds}.".encode() + content
    return {
        "content-type": "application/json",
        "user-agent": "Hubbub-Webhooks",
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def retry_after(value: str | None, now: int) -> float | None:
    """Return the seconds that a receiver asks to wait (RFC 9110, section 10.2.3). None if it does not.

    `now` is in milliseconds.
    """
    if value is None or len(value) > MAX_RETRY_AFTER:
        return None
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        wanted = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, wanted - now / 1_000)


def _signature(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix(SECRET))
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
