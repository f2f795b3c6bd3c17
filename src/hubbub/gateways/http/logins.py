"""Log-in for all routes: check a password, open a session, issue a credential."""

import secrets
from dataclasses import dataclass
from hmac import compare_digest

from fastapi import Request, Response

from hubbub.domain.commands import OpenSession
from hubbub.domain.errors import BadRequest, Forbidden, Unauthenticated
from hubbub.domain.model import ANYBODY
from hubbub.domain.passwords import check_password
from hubbub.engine.limits import account_key
from hubbub.engine.services import Services
from hubbub.features import accounts
from hubbub.gateways.http import auth
from hubbub.gateways.http.auth import Caller
from hubbub.protocol import headers
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import new_secret, secret_hash
from hubbub.storage.accounts import Account

REFUSED = accounts.REFUSED
EXAMPLE = "correct horse battery staple"
"""A password for the API documentation."""
DEVICE_SECONDS = 400 * 86_400
"""How long a browser stays known, at most: browsers keep no cookie for longer."""
MAX_DEVICE = 64
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
            ("curl/", "curl"), ("python", "Python"))  # fmt: skip
SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
           ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session. `cookie` is the browser's credential in clear; it is not stored."""

    account: Account
    session: str
    cookie: str | None


async def check(services: Services, username: str, password: str, address: str, device: str | None = None) -> Account:
    """Return the account with this name and password.

    `device` is the id of a device that has logged in to the account before. Raises Unauthenticated,
    in the same time and with the same message for an unknown name and a wrong password.
    """
    services.limits.login(username, address, device)
    account = await services.read(accounts.by_name, username)
    stored = account.password_hash if account is not None and not account.disabled else None
    right = await services.passwords.verify(stored, password, network(address))
    services.metrics.logins.labels(outcome="accepted" if right else "refused").inc()
    if account is None or not right:
        raise Unauthenticated(REFUSED)
    services.limits.logged_in(username, address)
    return account


async def confirm(services: Services, caller: Caller, password: str, address: str) -> str:
    """Check the logged-in caller's password again and return its stored hash.

    Raises Forbidden.
    """
    services.limits.confirm(caller.identity.session)
    account = await services.read(accounts.by_id, caller.id)
    stored = account.password_hash if account is not None else None
    if not await services.passwords.verify(stored, password, network(address)) or stored is None:
        raise Forbidden("Incorrect password.")
    return stored


async def open_session(request: Request, username: str, password: str, *, browser: bool) -> OpenedSession:
    """Check the password and open a session.

    Raises Unauthenticated, RateLimited, Busy.
    """
    services = auth.services_of(request)
    address = auth.address_of(request)
    account = await check(services, username, password, address, known_device(request, username))
    cookie = new_secret(secrets.token_bytes(32)) if browser else None
    idle, longest = services.lifetimes
    stored = account.password_hash
    assert stored is not None, "the password was checked against it"
    command = OpenSession(
        user=account.id,
        session=new_secret(secrets.token_bytes(16)),
        browser=browser,
        token_hash=secret_hash(cookie) if cookie is not None else None,
        client=client_name(request.headers.get("user-agent", "")),
        idle=idle,
        longest=longest,
        password_hash=(
            await services.passwords.hash(password, network(address))
            if services.passwords.needs_rehash(stored)
            else None
        ),
        seen_hash=stored,
    )
    await services.journal.submit(command, ANYBODY)
    return OpenedSession(account, command.session, cookie)


def set_cookie(request: Request, response: Response, value: str) -> None:
    https = auth.is_https(request)
    _, longest = auth.services_of(request).lifetimes
    response.set_cookie(
        headers.cookie_name(https=https), value, max_age=longest // 1000, path="/", secure=https, httponly=True,
        samesite="lax",
    )  # fmt: skip


def known_device(request: Request, username: str) -> str | None:
    """Return the id of the browser if it has logged in to the account with this name before.

    Its cookie is no credential: it only gives the browser attempts to log in of its own.
    """
    given = headers.cookie(auth.raw_headers(request), headers.device_cookie_name(https=auth.is_https(request)))
    device, _, signature = (given or "").partition(".")
    if not device or len(device) > MAX_DEVICE:
        return None
    expected = _device_signature(request, username, device)
    return device if compare_digest(signature.encode(), expected.encode()) else None


def set_device_cookie(request: Request, response: Response, username: str) -> None:
    """Let the browser prove at its next log-in that it has logged in to this account before."""
    if known_device(request, username) is not None:
        return
    https = auth.is_https(request)
    device = new_secret(secrets.token_bytes(16))
    response.set_cookie(
        headers.device_cookie_name(https=https), f"{device}.{_device_signature(request, username, device)}",
        max_age=DEVICE_SECONDS, path="/", secure=https, httponly=True, samesite="lax",
    )  # fmt: skip


def _device_signature(request: Request, username: str, device: str) -> str:
    return auth.services_of(request).tokens.derived("device", account_key(username), device)


def delete_cookie(request: Request, response: Response) -> None:
    https = auth.is_https(request)
    response.delete_cookie(headers.cookie_name(https=https), path="/", secure=https, httponly=True, samesite="lax")


def acceptable(password: str, username: str = "") -> str:
    """Raise BadRequest that states the rule if the password is not acceptable."""
    try:
        return check_password(password, username)
    except ValueError as error:
        sentence = str(error)
        raise BadRequest(f"{sentence[0].upper()}{sentence[1:]}.") from None


def client_name(user_agent: str) -> str:
    """Return a name such as "Firefox on Linux"; never the header itself."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if browser and system else browser or system
