"""What request headers say about who asks and from where. Pure; shared by every gateway that speaks HTTP.

A cookie is sent by browsers whichever page asks, so it counts only with a proof that the page is ours (RFC 6455,
section 10.2; Fetch Metadata). A bearer token is never sent unasked: with it the origin does not matter.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from hubbub.protocol.tokens import Credential

COOKIE = "hubbub_session"
SECURE_COOKIE = "__Host-hubbub_session"
FORWARDING = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""
Networks = Sequence[IPv4Network | IPv6Network]


def values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted]


def value(headers: Headers, wanted: bytes) -> str | None:
    """The header's value; None if it is absent or there more than once, which no honest client does."""
    found = values(headers, wanted)
    return found[0] if len(found) == 1 else None


def cookie_name(*, https: bool) -> str:
    """Browsers refuse `__Host-` over plain http, so there the name is another one."""
    return SECURE_COOKIE if https else COOKIE


def cookie(headers: Headers, wanted: str) -> str | None:
    """The first cookie of that name (RFC 6265, section 5.4: browsers put the most specific first)."""
    for line in values(headers, b"cookie"):
        for pair in line.split(";"):
            name, _, found = pair.strip().partition("=")
            if name == wanted and found:
                return found
    return None


def bearer(headers: Headers) -> str | None:
    scheme, _, token = (value(headers, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_bearer_alone(headers: Headers) -> bool:
    """Whether there is a bearer token, and no cookie beside it that could be what is gone by."""
    return bool(bearer(headers)) and not values(headers, b"cookie")


def credential(headers: Headers, *, https: bool) -> Credential | None:
    """A bearer token goes before the cookie, which a browser adds by itself."""
    token = bearer(headers)
    if token is not None:
        return Credential("bearer", token)
    found = cookie(headers, cookie_name(https=https))
    return Credential("cookie", found) if found is not None else None


def origin_problem(origin: str | None, host: str | None, public: str | None, origins: Sequence[str]) -> str | None:
    """Why a cookie does not count from this Origin, as a sentence; None when it does. `public` is our own, if known."""
    if origin is None:
        return "A cookie counts only together with an Origin header."
    if origin in origins or origin == public:
        return None
    if public is None and host and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}"):
        if is_own_name(host):
            return None
        return "This server does not know that it is called that: set HUBBUB_PUBLIC_URL to the address you see."
    return "Pages of this origin may not use the cookie."


def request_problem(headers: Headers, public: str | None, origins: Sequence[str]) -> str | None:
    """Why an unsafe request must not count the cookie, as a sentence; None when it comes from a page of ours.

    `Sec-Fetch-Site` is set by the browser alone; where it is missing, and where an Origin is there, that decides.
    """
    site = value(headers, b"sec-fetch-site")
    origin = value(headers, b"origin")
    if site is not None and site != "same-origin" and origin not in origins:
        return "Pages of this origin may not use the cookie."
    if site == "same-origin" and not values(headers, b"origin"):
        return None
    return origin_problem(origin, value(headers, b"host"), public, origins)


def is_own_name(host: str) -> bool:
    """Localhost or an address: a name could be somebody else's that resolves to us (DNS rebinding)."""
    if not HOST.fullmatch(host):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        ip_address(name)
    except ValueError:
        return False
    return True


def client_address(peer: str, headers: Headers, trusted: Networks) -> str:
    """Whose request it is: the peer, or the right-most hop of X-Forwarded-For that no trusted proxy is."""
    hops = [hop.strip() for line in values(headers, b"x-forwarded-for") for hop in line.split(",")] if trusted else []
    address = peer
    while hops and is_trusted(address, trusted):
        try:
            address = str(ip_address(_strip_port(hops.pop())))
        except ValueError:
            break
    return address


def forwarded_https(peer: str, headers: Headers, trusted: Networks) -> bool:
    """Whether a trusted proxy says that its client came by https: the last one speaks, who is nearest to us."""
    told = values(headers, b"x-forwarded-proto") if trusted and is_trusted(peer, trusted) else []
    return bool(told) and told[-1].rpartition(",")[2].strip().lower() == "https"


def is_unheard_proxy(peer: str, headers: Headers, trusted: Networks) -> bool:
    """Whether somebody near us forwards for others and is not believed: most likely a proxy the settings forgot."""
    if not values(headers, b"x-forwarded-for") or is_trusted(peer, trusted):
        return False
    try:
        return ip_address(peer).is_private  # loopback too; from afar anybody may claim anything
    except ValueError:
        return False


def network(address: str) -> str:
    """What counts as one place: an IPv4 address, an IPv6 /64 (one customer); anything else counts as itself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


def is_local(peer: str, headers: Headers) -> bool:
    """From this machine itself, and not handed on by a proxy on it."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and not any(name in FORWARDING for name, _ in headers)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether the address is a trusted proxy's."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in trusted)


def _strip_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
