"""Parse and check the URL of an outgoing request.

The parser is strict instead of repairing, as browsers do: two parsers that repair differently
disagree on the host, and then the checked host is not the one that is called.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from hubbub.outbound.errors import RefusedAddress
from hubbub.outbound.policy import Address, Policy

MAX_URL = 2_048
"""Characters in a URL."""
MAX_HOST = 253
SCHEMES = {"http": 80, "https": 443}
URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?", re.DOTALL)
AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]@%]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes browsers and `inet_aton` read the host as an IPv4 address."""
DOTS = re.compile(r"\.|%2e", re.IGNORECASE)
LOCAL_SUFFIXES = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".home.arpa", ".lan")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: a parsed URL, its parts in ASCII."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query, percent-encoded."""
    address: Address | None
    """Set if the host is an address."""

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == SCHEMES[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, policy: Policy | None = None) -> None:
    """Check everything about a URL that needs no DNS.

    Without a policy, only public addresses on the default ports are allowed: use
    `OutboundClient.check_url` where the settings count. Raises RefusedAddress.
    """
    parse(url, policy or Policy())


def parse(url: str, policy: Policy) -> Target:
    """Return the parts of a URL that the policy allows, as far as can be told without DNS. Raises RefusedAddress."""
    target = _split(url)
    if not policy.allows_port(target.port):
        raise RefusedAddress(
            f"The URL has port {target.port}, and this server does not send requests to that port. "
            "An admin can allow it with HUBBUB_OUTBOUND_PORTS."
        )
    if target.address is not None:
        if not policy.allows(target.host, target.address):
            raise RefusedAddress(
                f"{target.host} is not a public address. An admin can allow it with HUBBUB_OUTBOUND_ALLOW."
            )
    elif target.host not in policy.hosts and not policy.networks and _is_local(target.host):
        raise RefusedAddress(
            f"{target.host} is a name of a local network. An admin can allow it with HUBBUB_OUTBOUND_ALLOW."
        )
    return target


def _is_local(host: str) -> bool:
    return "." not in host or host.endswith(LOCAL_SUFFIXES)


def _split(url: str) -> Target:
    if len(url) > MAX_URL:
        raise RefusedAddress(f"The URL is longer than {MAX_URL} characters.")
    if any(character <= " " or character in "\\\x7f" or character.isspace() for character in url):
        raise RefusedAddress("The URL contains a space, a line break or a backslash.")
    if "#" in url:
        raise RefusedAddress("The URL contains a #. Remove it and what follows.")
    parts = URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in SCHEMES:
        raise RefusedAddress("The URL must begin with https:// or http://.")
    if "@" in parts["authority"]:
        raise RefusedAddress("The URL contains a user name or a password before an @. Remove it.")
    authority = AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise RefusedAddress("The URL has no valid host name and port.")
    port = int(authority["port"] or SCHEMES[scheme])
    if port > 65_535:
        raise RefusedAddress("The URL has a port above 65535.")
    host, address = _host(authority["host"])
    return Target(scheme, host, port, _path(parts["path"] or "/", parts["query"] or ""), address)


def _host(text: str) -> tuple[str, Address | None]:
    """Return the host in ASCII, and its address if it is one."""
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise RefusedAddress("The URL has an invalid IPv6 address in its brackets.") from None
        return str(address), address
    host = text.lower() if text.isascii() else _ascii(text)
    if host.endswith("."):
        raise RefusedAddress("The host name ends with a dot. Remove the dot.")
    labels = host.split(".")
    if len(host) > MAX_HOST or not all(LABEL.fullmatch(label) for label in labels):
        raise RefusedAddress("The URL has an invalid host name.")
    if not NUMBER.fullmatch(labels[-1]):
        return host, None
    try:  # strict: four decimal numbers without leading zeros
        return host, IPv4Address(host)
    except ValueError:
        raise RefusedAddress("The URL has an invalid IPv4 address. Write it as four decimal numbers.") from None


def _ascii(text: str) -> str:
    """Return an international host name as `xn--…`.

    Characters that IDNA 2008 would map to others, such as full-width digits, are refused.
    """
    import idna  # here, since its tables take memory and few names need them

    if len(text) > MAX_HOST or any(dot in text for dot in "\u3002\uff0e\uff61"):
        raise RefusedAddress("The URL has an invalid host name.")
    try:
        return idna.encode(text.lower()).decode("ascii")
    except idna.IDNAError:
        raise RefusedAddress("The URL has an invalid host name.") from None


def _path(path: str, query: str) -> str:
    if any(DOTS.sub(".", segment) in (".", "..") for segment in path.split("/")):
        raise RefusedAddress("The path of the URL contains . or .. as a segment. Write the path without them.")
    try:
        return quote(path + query, safe="!\"$%&'()*+,-./:;<=>?@[]^_`{|}~")
    except UnicodeEncodeError:
        raise RefusedAddress("The URL contains an invalid character.") from None
