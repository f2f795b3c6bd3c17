"""Detection of proxies whose forwarding headers are not trusted."""

from ipaddress import ip_network

import pytest

from hubbub.protocol.headers import is_unheard_proxy

FORWARDED = [(b"x-forwarded-for", b"198.51.100.1")]
TRUSTED = [ip_network("10.0.0.0/8")]


@pytest.mark.parametrize(
    ("peer", "headers", "unheard"),
    [
        ("127.0.0.1", FORWARDED, True),
        ("::1", FORWARDED, True),
        ("172.17.0.1", FORWARDED, True),
        ("10.0.0.1", FORWARDED, False),  # This proxy is trusted.
        ("8.8.8.8", FORWARDED, False),  # Any remote client may claim anything.
        ("127.0.0.1", [], False),
        ("", FORWARDED, False),
    ],
)
def test_an_untrusted_proxy_nearby_is_noticed(peer: str, headers: list[tuple[bytes, bytes]], unheard: bool) -> None:
    assert is_unheard_proxy(peer, headers, TRUSTED) is unheard
