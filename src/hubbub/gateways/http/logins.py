"""Log-in for all routes: check a password, open a session, issue a credential."""

import secrets
from dataclasses import dataclass

from fastapi import Request, Response

from hubbub.domain.commands import OpenSession
from hubbub.domain.errors import BadRequest, Forbidden, Unauthenticated
from hubbub.domain.model import ANYBODY
from hubbub.domain.passwords import check_password
from hubbub.engine.services import Services
from hubbub.features import accounts
from hubbub.gateways.http import auth
from hubbub.gateways.http.auth import Caller
from hubbub.protocol import headers
from hubbub.protocol.tokens import new_secret, secret_hash
from hubbub.storage.accounts import Account

REFUSED = accounts.REFUSED
EXAMPLE = "correct horse battery staple"
"""A password for the API documentation."""
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


async def check(services: Services, username: str, password: str, address: str) -> Account:
    """Return the account with this name and password.

    Raises Unauthenticated, in the same time and with the same message for an unknown name and a
    wrong password.
    """
    services.limits.login(username, address)
    account = await services.read(accounts.by_name, username)
    stored = account.password_hash if account is not None and not account.disabled else None
    right = await services.passwords.verify(stored, password)
    services.metrics.logins.labels(outcome="accepted" if right else "refused").inc()
    if account is None or not right:
        raise Unauthenticated(REFUSED)
    return account


async def confirm(services: Services, caller: Caller, password: str, address: str) -> str:
    """Check the logged-in caller's password again and return its stored hash.

    Raises Forbidden.
    """
    services.limits.login(caller.identity.name, address)
    account = await services.read(accounts.by_id, caller.id)
    stored = account.password_hash if account is not None else None
    if not await services.passwords.verify(stored, password) or stored is None:
        raise Forbidden("Incorrect password.")
    return stored


async def open_session(request: Request, username: str, password: str, *, browser: bool) -> OpenedSession:
    """Check the password and open a session.

    Raises Unauthenticated, RateLimited, Busy.
    """
    services = auth.services_of(request)
    account = await check(services, username, password, auth.address_of(request))
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
        password_hash=await services.passwords.hash(password) if services.passwords.needs_rehash(stored) else None,
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
