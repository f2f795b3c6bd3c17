"""Signatures against the specification's own test vector, and what receivers may say about retries."""

from base64 import b64decode
from random import Random

import pytest

from hubbub.protocol import webhooks

NOW = 1_790_000_000_000


def test_the_signature_is_that_of_the_reference_implementations() -> None:
    """The vector of the libraries in github.com/standard-webhooks/standard-webhooks."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    found = webhooks.headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_of_24_to_64_bytes_as_the_specification_says() -> None:
    for secret in (webhooks.new_secret(bytes(32)), webhooks.secret_of("A" * 43)):
        assert secret.startswith("whsec_")
        assert 24 <= len(b64decode(secret.removeprefix("whsec_"))) <= 64


def test_an_id_is_the_same_for_an_event_and_differs_for_all_others() -> None:
    ids = {
        webhooks.message_id(epoch, webhook, room, seq)
        for epoch in ("one", "two") for webhook in (1, 11) for room in (1, 11, None) for seq in (1, 11)
    }  # fmt: skip
    assert len(ids) == 24
    assert webhooks.message_id("one", 1, 2, 3) == webhooks.message_id("one", 1, 2, 3)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("120", 120.0), ("0", 0.0), ("", None), ("-1", None), ("1.5", None), ("١٢", None),
        ("soon", None), ("9" * 65, None), ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert webhooks.retry_after(value, NOW) == seconds


def test_no_header_breaks_retry_after() -> None:
    random = Random(5)
    pieces = [
        "Mon",
        ",",
        " ",
        "21",
        "Sep",
        "Oct",
        "99999999999999999999",
        ":",
        "-",
        "+",
        "GMT",
        "\x00",
        "²",
        "é",
        "0",
        ".",
    ]
    for _ in range(3_000):
        value = "".join(random.choice(pieces) for _ in range(random.randrange(12)))
        found = webhooks.retry_after(value, NOW)
        assert found is None or found >= 0
