"""Read credentials, origin and client address from request headers.

Pure; shared by all HTTP gateways.

Browsers send a cookie with requests of every page, so it only counts with proof that the page is
ours (RFC 6455, section 10.2; Fetch Metadata). Browsers never add a bearer token themselves, so with
a bearer token the origin does not matter.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from hubbub.protocol.tokens import Credential

COOKIE = "hubbub_session"
SECURE_COOKIE = "__Host-hubbub_session"
DEVICE_COOKIE = "hubbub_device"
"""Proves that a browser has logged in to an account before."""
FORWARDING = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")
WRONG_PAGE = "Pages of this origin may not log in here."
WRONG_ORIGIN = "Pages of this origin may not use the session cookie."
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

Headers = Sequence[tuple[bytes, bytes]]
"""Pairs of name and value. Names are in lower case, as in ASGI."""
Networks = Sequence[IPv4Network | IPv6Network]


def values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted]


def value(headers: Headers, wanted: bytes) -> str | None:
    """Return the header's value, or None if it is absent or repeated.

    No honest client repeats it.
    """
    found = values(headers, wanted)
    return found[0] if len(found) == 1 else None


def cookie_name(*, https: bool) -> str:
    """Return the name of the session cookie.

    Browsers reject the prefix `__Host-` over plain http.
    """
    return SECURE_COOKIE if https else COOKIE


def device_cookie_name(*, https: bool) -> str:
    return f"__Host-{DEVICE_COOKIE}" if https else DEVICE_COOKIE


def cookie(headers: Headers, wanted: str) -> str | None:
    """Return the first cookie of this name.

    Browsers send the most specific cookie first (RFC 6265, section 5.4).
    """
    for header in values(headers, b"cookie"):
        for pair in header.split(";"):
            name, _, content = pair.strip().partition("=")
            if name == wanted and content:
                return content
    return None


def bearer(headers: Headers) -> str | None:
    scheme, _, token = (value(headers, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_bearer_alone(headers: Headers) -> bool:
    """Return True if a bearer token is the only credential."""
    return bool(bearer(headers)) and not values(headers, b"cookie")


def credential(headers: Headers, *, https: bool) -> Credential | None:
    """Return the credential.

    A bearer token has priority over a cookie, which browsers add themselves.
    """
    token = bearer(headers)
    if token is not None:
        return Credential("bearer", token)
    secret = cookie(headers, cookie_name(https=https))
    return Credential("cookie", secret) if secret is not None else None


def origin_problem(origin: str | None, host: str | None, public: str | None, origins: Sequence[str]) -> str | None:
    """Return why a cookie does not count from this Origin; None if it counts.

    `public` is the server's own origin, if it is known.
    """
    if origin is None:
        return "Requests with a cookie need an Origin header."
    if origin in origins or origin == public:
        return None
    if public is None and host and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}"):
        if is_own_name(host):
            return None
        return "This server is not set up for this host name. Set HUBBUB_PUBLIC_URL to the address in the browser."
    return WRONG_ORIGIN


def request_problem(headers: Headers, public: str | None, origins: Sequence[str]) -> str | None:
    """Return why a cookie does not count in an unsafe request; None if it counts.

    Only browsers can set `Sec-Fetch-Site`. If it is missing, or if there is an Origin, the Origin
    decides as well.
    """
    site = value(headers, b"sec-fetch-site")
    origin = value(headers, b"origin")
    if site is not None and site != "same-origin" and origin not in origins:
        return WRONG_ORIGIN
    if site == "same-origin" and not values(headers, b"origin"):
        return None
    return origin_problem(origin, value(headers, b"host"), public, origins)


def page_problem(headers: Headers, public: str | None, origins: Sequence[str]) -> str | None:
    """Return why a page may not send a log-in; None if it may, and for programs.

    Otherwise any page could let its visitors' browsers guess passwords. Programs send neither
    header.
    """
    if not values(headers, b"origin") and not values(headers, b"sec-fetch-site"):
        return None
    problem = request_problem(headers, public, origins)
    return WRONG_PAGE if problem == WRONG_ORIGIN else problem


def is_own_host(host: str | None, names: Sequence[str]) -> bool:
    """Return True if the Host header names this server: an address, localhost, or one of `names`."""
    if host is None or not HOST.fullmatch(host):
        return False
    return is_own_name(host) or (urlsplit(f"//{host}").hostname or "") in names


def is_own_name(host: str) -> bool:
    """Return True for localhost and IP addresses.

    Another name could belong to an attacker and resolve to this server (DNS rebinding).
    """
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
    """Return the client's address.

    It is the peer's, or the right-most hop of X-Forwarded-For that is not a trusted proxy.
    """
    forwarded = values(headers, b"x-forwarded-for") if trusted else []
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    address = peer
    while hops and is_trusted(address, trusted):
        try:
            address = str(ip_address(_strip_port(hops.pop())))
        except ValueError:
            break
    return address


def forwarded_https(peer: str, headers: Headers, trusted: Networks) -> bool:
    """Return True if the last proxy is trusted and reports https."""
    reported = values(headers, b"x-forwarded-proto") if trusted and is_trusted(peer, trusted) else []
    return bool(reported) and reported[-1].rpartition(",")[2].strip().lower() == "https"


def is_unheard_proxy(peer: str, headers: Headers, trusted: Networks) -> bool:
    """Return True if an untrusted private address sends X-Forwarded-For.

    It is most likely a proxy that is missing in the settings.
    """
    if not values(headers, b"x-forwarded-for") or is_trusted(peer, trusted):
        return False
    try:
        return ip_address(peer).is_private  # includes loopback; public clients can claim anything
    except ValueError:
        return False


def network(address: str) -> str:
    """Return what limits per address count by: an IPv4 address or an IPv6 /64.

    A /64 is usually one customer. Text that is not an address is returned unchanged.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def is_local(peer: str, headers: Headers) -> bool:
    """Return True if the request comes from this machine without a proxy."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and not any(name in FORWARDING for name, _ in headers)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Return True if the address belongs to a trusted proxy."""
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
