"""Which addresses, host names and ports outgoing requests may use."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_PORTS = (80, 443, 8080, 8443)

# IANA's special-purpose registries (RFC 6890), in full: `is_global` of older Python versions lacks
# some, and calls a few of them global because they are anycast services of the local network.
SPECIAL_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, also metadata services of clouds
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments, DS-Lite, NAT64 discovery
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
UNICAST_IPV6 = IPv6Network("2000::/3")
"""All global unicast addresses that IANA has assigned.

Outside are loopback, private, link-local and multicast addresses, and those that embed an IPv4
address: v4-mapped, v4-compatible, SIIT (``::ffff:0:0:0/96``) and NAT64 (``64:ff9b::/96`` and
``64:ff9b:1::/48``).
"""
SPECIAL_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarks, anycast
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# Where an IPv4 address is embedded: the network, and the bits to the right of the embedded address.
EMBEDDING = (
    (IPv6Network("::/96"), 0),  # v4-compatible
    (IPv6Network("::ffff:0:0/96"), 0),  # v4-mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # SIIT
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 of the local network, with a prefix of 96 bits
    (IPv6Network("2002::/16"), 80),  # 6to4
    (IPv6Network("2001::/32"), 64),  # Teredo: the server
)
TEREDO = IPv6Network("2001::/32")
LOOPBACK = IPv6Network("::/127")
"""``::`` and ``::1`` lie in the v4-compatible range and embed nothing."""


def is_public(address: Address) -> bool:
    """Return True for a global unicast address that has no special purpose and embeds no other address."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in SPECIAL_IPV4)
    return (
        address in UNICAST_IPV6
        and address.scope_id is None
        and address.is_global
        and not any(address in network for network in SPECIAL_IPV6)
    )


def embedded(address: Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that a packet to this IPv6 address may be translated to."""
    if isinstance(address, IPv4Address) or address in LOOPBACK:
        return []
    bits = int(address)
    found = [IPv4Address(bits >> shift & 0xFFFF_FFFF) for network, shift in EMBEDDING if address in network]
    if address in TEREDO:
        found.append(IPv4Address(~bits & 0xFFFF_FFFF))  # the client, with all bits inverted (RFC 4380)
    return found


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed. The default allows public addresses on the usual ports."""

    networks: tuple[Network, ...] = ()
    """Networks allowed besides public addresses."""
    hosts: frozenset[str] = frozenset()
    """Host names that may have any address."""
    ports: tuple[range, ...] = tuple(range(port, port + 1) for port in DEFAULT_PORTS)

    def allows_port(self, port: int) -> bool:
        return any(port in ports for ports in self.ports)

    def allows_address(self, address: Address) -> bool:
        """Return True for a public address, or one in an allowed network.

        An address that embeds IPv4 addresses is allowed only if they are allowed too: NAT64 in an
        allowed network must not lead to a private address that is not.
        """
        if is_public(address):
            return True
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        return any(address in network for network in self.networks) and all(
            self.allows_address(inner) for inner in embedded(address)
        )

    def allows(self, host: str, address: Address) -> bool:
        """Return whether a request to this host may connect to this address."""
        return host in self.hosts or self.allows_address(address)

    @property
    def only_public(self) -> bool:
        """Whether no name of a local network can be allowed."""
        return not self.networks and not self.hosts
