"""Which addresses count as public: one line for each special network, and its neighbours.

CVE-2026-2455 (Mattermost), CVE-2021-21273 and CVE-2021-21392 (Synapse), GHSA-7pw8-m2w2-f545 (Ergo);
Campfire repaired its list four times: link-local, `::ffff:`, `::a.b.c.d`, then SIIT and NAT64.
"""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from hubbub.outbound.policy import Policy, is_public

REFUSED = """
0.0.0.0 0.0.0.1 0.255.255.255
10.0.0.0 10.1.2.3 10.255.255.255
100.64.0.0 100.100.100.200 100.127.255.255
127.0.0.0 127.0.0.1 127.1.2.3 127.255.255.255
169.254.0.0 169.254.169.254 169.254.255.255
172.16.0.0 172.17.0.1 172.31.255.255
192.0.0.0 192.0.0.8 192.0.0.9 192.0.0.170 192.0.0.192 192.0.0.255
192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.0 192.168.255.255 192.175.48.1
198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.9
224.0.0.1 232.1.1.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255
:: ::1 ::2
::7f00:1 ::127.0.0.1 ::10.0.0.1 ::8.8.8.8
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::ffff:0.0.0.0
::ffff:0:127.0.0.1 ::ffff:0:a00:1 ::ffff:0:808:808
64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808
64:ff9b:1::1 64:ff9b:1::7f00:1 64:ff9b:1:ffff::a9fe:a9fe
100::1 100:0:0:1::1 5f00::1 fc00::1 fd00:ec2::254 fd12:3456:789a::1
fe80::1 fe80::1%1 febf::1 fec0::1 ff02::1 ff0e::1 4000::1 1fff::1 e000::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1
2001:20::1 2001:30::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1
2002:7f00:1:: 2002:a00:1::1 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff:ffff::1
""".split()  # noqa: SIM905  a table
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255
198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255
2000::1 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00:1450::1 3ffe:ffff::1
""".split()  # noqa: SIM905  a table


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(set(REFUSED)) >= 60
    assert len(set(PUBLIC)) >= 20


@pytest.mark.parametrize("text", REFUSED)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not Policy().allows("hooks.example.org", ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_beside_the_special_networks_is_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert Policy().allows("hooks.example.org", ip_address(text))


def test_control_is_global_alone_would_let_addresses_pass_that_lead_elsewhere() -> None:
    """Whichever Python version runs: `is_global` of IPv6 knows nothing of embedded addresses."""
    passing = [text for text in REFUSED if ip_address(text).is_global]
    assert "64:ff9b::7f00:1" in passing, passing
    assert len(passing) > 5, passing


def test_an_allowed_network_is_allowed_and_its_neighbours_are_not() -> None:
    policy = Policy(networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")))
    for text, allowed in [
        ("10.1.0.0", True), ("10.1.255.255", True), ("10.0.255.255", False), ("10.2.0.0", False),
        ("fd00:1::1", True), ("fd00:2::1", False), ("127.0.0.1", False), ("::ffff:10.1.0.1", False), ("8.8.8.8", True),
    ]:  # fmt: skip
        assert policy.allows("x.example", ip_address(text)) is allowed, text


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("64:ff9b::a00:1", "10.0.0.1"),
        ("64:ff9b:1::a00:1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:0:10.0.0.1", "10.0.0.1"),
        ("::10.0.0.1", "10.0.0.1"),
        ("2002:a00:1::1", "10.0.0.1"),
        ("2001:0:808:808::f5ff:fffe", "10.0.0.1"),
    ],
)
def test_an_allowed_network_of_translated_addresses_does_not_lead_to_a_private_address(text: str, inner: str) -> None:
    """NAT64 may be allowed for an IPv6-only server; the private network behind it is not."""
    everything = ip_network("::/0")
    assert not Policy(networks=(everything,)).allows_address(ip_address(text))
    assert Policy(networks=(everything, ip_network(f"{IPv4Address(inner)}/32"))).allows_address(ip_address(text))


def test_an_allowed_nat64_network_leads_to_public_addresses() -> None:
    assert Policy(networks=(ip_network("64:ff9b::/96"),)).allows_address(ip_address("64:ff9b::808:808"))


def test_loopback_over_ipv6_can_be_allowed_although_it_looks_v4_compatible() -> None:
    assert Policy(networks=(ip_network("::1/128"),)).allows_address(ip_address("::1"))


def test_an_allowed_host_may_have_any_address_and_other_hosts_may_not() -> None:
    policy = Policy(hosts=frozenset({"hooks.internal"}))
    assert policy.allows("hooks.internal", ip_address("10.0.0.1"))
    assert not policy.allows("other.internal", ip_address("10.0.0.1"))


def test_an_address_with_a_zone_is_refused_in_an_allowed_network_too() -> None:
    assert not Policy(networks=(ip_network("fe80::/10"),)).allows_address(ip_address("fe80::1%eth0"))
