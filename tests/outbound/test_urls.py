"""Spellings of URLs: what one parser reads as a host, another must not read as a different one."""

import socket
import time
from ipaddress import ip_address, ip_network

import pytest

from hubbub.outbound import Policy, RefusedAddress, check_url
from hubbub.outbound.urls import MAX_URL, parse

LOOPBACK = [
    "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.1/", "http://0x7f.0x0.0x0.0x1/", "http://017700000001/", "http://0177.0.0.1/", "http://0177.1/",
    "http://00000177.0.0.1/", "http://127.0.0.01/", "http://0/", "http://0.0.0.0/", "http://0x0/",
    "http://127.0.0.0x1/", "http://0X7F000001/", "http://localhost/", "http://LOCALHOST/", "http://[::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[0:0:0:0:0:0:0:1]/",
]  # fmt: skip
"""Spellings of this machine that the system's resolver accepts."""
REFUSED = [
    *LOOPBACK,
    # other names of this machine, and of the local network
    "http://localhost./", "http://127.0.0.1./", "http://example.org./", "http://example.org../", "http://.example.org/",
    "http://a..example.org/", "http://foo.localhost/", "http://printer/", "http://printer.local/", "http://db.internal/",
    "http://metadata.google.internal/", "http://nas.lan/", "http://router.home.arpa/", "http://localhost.localdomain/",
    # addresses that are none
    "http://256.1.1.1/", "http://1.2.3.4.5/", "http://1.2.3/", "http://4294967296/", "http://0x/", "http://8.8.8.8.0x1/",
    "http://8.8.8.010/", "http://example.1/", "http://example.0x7f/", "http://[::g]/", "http://[::1/", "http://::1/",
    "http://[::1]]/", "http://[127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[]/",
    "http://[v1.x]/", "http://[::]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[::ffff:0:7f00:1]/",
    # user names and passwords
    "http://user@example.org/", "http://user:password@example.org/", "http://example.org@127.0.0.1/", "http://@example.org/",
    "http://127.0.0.1:80@example.org/", "http://example.org:80:80@127.0.0.1/", "http://example.org%40127.0.0.1/",
    # characters that parsers remove or repair
    " http://example.org/", "http://example.org/ ", "http://exa\tmple.org/", "http://example.org/a\nb", "ht\ntp://example.org/",
    "http://example.org\r\nX-Injected: 1/", "http://example.org/\r\n", "http://example.org\\@127.0.0.1/",
    "http:\\\\example.org\\",
    "http://example.org/\x00", "http://exam\x00ple.org/", "http://example.org/\x7f", "http://example.org\u00a0/",
    "http://example.org\u2028/", "http://example.org/a b", "\ufeffhttp://example.org/", "http://exam\u200bple.org/",
    "http://example.org%00.evil.test/", "http://%31%32%37.0.0.1/", "http://127%2e0.0.1/", "http://example.org%2f/",
    # full-width digits and dots, look-alikes, invalid international names
    "http://１２７.0.0.1/", "http://１２７．０．０．１/", "http://127。0。0。1/", "http://127｡0｡0｡1/", "http://①②⑦.0.0.1/",
    "http://ｌｏｃａｌｈｏｓｔ/", "http://ⓛocalhost/", "http://exam\u00adple.org/", "http://\u202eexample.org/", "http://ex%C3%A4mple.org/",
    "http://-example.org/", "http://example-.org/", "http://exa!mple.org/", "http://exa$mple.org/", "http://*.example.org/",
    "http://" + "a" * 64 + ".org/", "http://" + "a." * 127 + "org/", "http://ä" + "a" * 300 + ".org/",
    # other schemes, and none
    "", "example.org", "//example.org/", "http:/example.org/", "http:example.org", "http:///", "http://", "https://?x",
    "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "javascript:alert(1)", "data:text/plain,x",
    "ws://example.org/", "unix:///run/x", "http+unix://x/", "httpss://example.org/", "ｈttp://example.org/", "h\u0131ttp://x.org/",
    # ports
    "http://example.org:/", "http://example.org:0/", "http://example.org:22/", "http://example.org:25/", "http://example.org:6379/",
    "http://example.org:65536/", "http://example.org:99999999999/", "http://example.org:080/", "http://example.org:+80/",
    "http://example.org:８０/", "http://example.org:80a/", "http://example.org:-1/", "http://example.org:80:80/",
    # the path
    "http://example.org/../x", "http://example.org/a/..", "http://example.org/%2e%2E/x", "http://example.org/.%2e/x",
    "http://example.org/./x", "http://example.org/#x", "http://example.org#@127.0.0.1/", "http://example.org/\ud800",
]  # fmt: skip
LONG = "a" * (MAX_URL - 20)
ACCEPTED = [
    ("http://example.org", "http", "example.org", 80, "/", "example.org"),
    ("HTTPS://Example.ORG/a?b=c&d=/../e", "https", "example.org", 443, "/a?b=c&d=/../e", "example.org"),
    ("https://example.org:443/", "https", "example.org", 443, "/", "example.org"),
    ("http://example.org:8080?x", "http", "example.org", 8080, "/?x", "example.org:8080"),
    ("https://example.org:80/", "https", "example.org", 80, "/", "example.org:80"),
    ("https://a_b.example.org/", "https", "a_b.example.org", 443, "/", "a_b.example.org"),
    ("https://Bücher.example/ü?ß", "https", "xn--bcher-kva.example", 443, "/%C3%BC?%C3%9F", "xn--bcher-kva.example"),
    ("https://xn--bcher-kva.example/%C3%BC", "https", "xn--bcher-kva.example", 443, "/%C3%BC", "xn--bcher-kva.example"),
    ("https://例え.テスト/", "https", "xn--r8jz45g.xn--zckzah", 443, "/", "xn--r8jz45g.xn--zckzah"),
    ("http://8.8.8.8/..x/x..", "http", "8.8.8.8", 80, "/..x/x..", "8.8.8.8"),
    ("http://[2606:4700:4700:0:0:0:0:1111]:8443/", "http", "2606:4700:4700::1111", 8443, "/",
     "[2606:4700:4700::1111]:8443"),
    ("https://hooks.example.org/T0/B0/x@y:z;{a}|^`\"<>'", "https", "hooks.example.org", 443,
     "/T0/B0/x@y:z;{a}|^`\"<>'", "hooks.example.org"),
    ("https://example.org/" + LONG, "https", "example.org", 443, "/" + LONG, "example.org"),
]  # fmt: skip


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 100


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_a_url_that_is_private_or_ambiguous_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(RefusedAddress) as refused:
        check_url(url)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert len(sentence) < 400
    assert "\n" not in sentence


@pytest.mark.parametrize("url", LOOPBACK)
def test_control_the_system_reads_each_of_these_spellings_as_this_machine(url: str) -> None:
    host = url.removeprefix("http://").removesuffix("/").strip("[]")
    found = {ip_address(str(entry[4][0])) for entry in socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)}
    mapped = {getattr(address, "ipv4_mapped", None) or address for address in found}
    assert all(address.is_loopback or address.is_unspecified for address in mapped)


@pytest.mark.parametrize(("url", "scheme", "host", "port", "path", "authority"), ACCEPTED, ids=lambda part: None)
def test_a_public_url_is_split_into_ascii_parts(
    url: str, scheme: str, host: str, port: int, path: str, authority: str
) -> None:
    check_url(url)
    target = parse(url, Policy())
    assert (target.scheme, target.host, target.port, target.path) == (scheme, host, port, path)
    assert target.authority == authority
    assert (target.host + target.path + target.authority).isascii()


def test_a_url_is_refused_for_its_length_before_anything_else_is_done_with_it() -> None:
    check_url("https://example.org/" + LONG)
    for text in ("a", "ä", "\u0300", "%2e", "/", "[", ":", "@", "."):
        begin = time.process_time()
        for url in ("https://example.org/" + text * 1_000_000, "https://" + text * 1_000_000):
            with pytest.raises(RefusedAddress, match="longer than 2048 characters"):
                check_url(url)
        assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("text", ["a", "ä", "\u0300", "٠", "xn--a.", "-", "ä.", "%2e", "/.", "[", ":", "@", "."])
def test_a_crafted_url_within_the_limit_takes_little_time(text: str) -> None:
    """CVE-2024-3651: encoding an international name took quadratic time."""
    begin = time.process_time()
    for head in ("https://", "https://example.org/", "https://["):
        url = (head + text * MAX_URL)[:MAX_URL]
        try:
            check_url(url)
        except RefusedAddress:
            continue
    assert time.process_time() - begin < 0.5


def test_the_settings_open_ports_addresses_and_names() -> None:
    policy = Policy(
        networks=(ip_network("10.0.0.0/8"),), hosts=frozenset({"receiver"}), ports=(range(80, 81), range(9000, 9010))
    )
    for url in ("http://10.1.2.3/", "http://receiver:9009/", "http://nas.lan/", "http://8.8.8.8:9000/"):
        parse(url, policy)
    for url in ("http://11.0.0.1:443/", "http://receiver:9010/", "http://192.168.0.1/", "http://[::ffff:10.0.0.1]/"):
        with pytest.raises(RefusedAddress):
            parse(url, policy)


def test_a_refusal_names_the_setting_that_allows_the_url() -> None:
    for url, setting in [
        ("http://example.org:9/", "HUBBUB_OUTBOUND_PORTS"),
        ("http://10.0.0.1/", "HUBBUB_OUTBOUND_ALLOW"),
        ("http://printer/", "HUBBUB_OUTBOUND_ALLOW"),
    ]:
        with pytest.raises(RefusedAddress, match=setting):
            check_url(url)
