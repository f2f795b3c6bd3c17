"""Credentials for schemathesis, and a count of answers.

schemathesis loads this in its own process. Requests that end a session or an account use accounts
made for them, which are replaced afterwards, so that the run itself stays logged in. This module
knows only the server's address.
"""

import atexit
import itertools
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, ClassVar

import requests
import schemathesis

BASE, NAME, PASSWORD, REPORT = (os.environ[f"FUZZ_{word}"] for word in ("URL", "NAME", "PASSWORD", "REPORT"))
BROWSER = os.environ["FUZZ_KIND"] == "browser"
TAMPER = "FUZZ_TAMPER" in os.environ
RESETS = os.environ["FUZZ_RESETS"].split()
COOKIE = "hubbub_session"
ENDS_SESSION = {"log_out", "end_session", "list_sessions"}
"""Operations that need an account and a session that no other operation uses."""
ENDS_ACCOUNT = {"delete_current_user", "change_password"}

_http = requests.Session()
_http.trust_env = False
_numbers = itertools.count(1)
_answers: dict[str, dict[str, Counter[int]]] = {"right": defaultdict(Counter), "wrong": defaultdict(Counter)}


def sign_up() -> str:
    name = f"brief{os.getpid()}n{next(_numbers)}"
    _ask("/api/users", json={"username": name, "password": PASSWORD})
    return name


def log_in(name: str) -> str:
    """Return a new credential: a browser's cookie or an access token."""
    if BROWSER:
        return str(_ask("/api/login", json={"username": name, "password": PASSWORD}).cookies[COOKIE])
    return str(_ask("/token", data={"username": name, "password": PASSWORD}).json()["access_token"])


def _ask(path: str, **body: Any) -> requests.Response:
    _http.cookies.clear()
    answer = _http.post(f"{BASE}{path}", timeout=60, **body)
    answer.raise_for_status()
    return answer


def session_of(credential: str) -> str:
    """Return the id of a credential's session."""
    _http.cookies.clear()
    sent = {"Cookie": f"{COOKIE}={credential}"} if BROWSER else {"Authorization": f"Bearer {credential}"}
    answer = _http.get(f"{BASE}/api/sessions", headers=sent, timeout=60)
    answer.raise_for_status()
    return next(str(one["id"]) for one in answer.json()["sessions"] if one["current"])


def operation_of(thing: Any) -> str:
    return str(thing.operation.definition.raw.get("operationId"))


def is_right(case: Any) -> bool:
    """Return whether the request was generated as valid by the document."""
    return case.meta is not None and bool(case.meta.generation.mode.is_positive)


class Credentials:
    """One credential for most of the run, and others for operations that use them up."""

    kept: ClassVar[dict[str, str]] = {}
    """Credentials by operation; the empty name serves all other operations."""
    brief = ""

    def get(self, case: Any, context: Any) -> str:
        asked = operation_of(context)
        if asked not in ENDS_SESSION | ENDS_ACCOUNT:
            asked = ""
        if asked not in self.kept:
            self.kept[asked] = log_in(self._whose(asked))
        return self.kept[asked]

    def set(self, case: Any, data: str, context: Any) -> None:
        if BROWSER:
            case.cookies[COOKIE] = data
            case.headers["Origin"] = BASE
        else:
            case.headers["Authorization"] = f"Bearer {data}"

    def _whose(self, asked: str) -> str:
        if asked in ENDS_ACCOUNT:
            return sign_up()
        if asked in ENDS_SESSION:
            Credentials.brief = self.brief or sign_up()
            return self.brief
        return NAME


if NAME:
    schemathesis.auth(refresh_interval=None)(Credentials)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Rewrite OAuth2 schemes as bearer schemes.

    The check `ignored_auth` does not know which header an OAuth2 token uses and would leave it
    there.
    """
    if TAMPER:
        raw_schema["components"]["schemas"]["Me"]["properties"]["name"] = {"type": "integer"}
        del raw_schema["paths"]["/api/users/{user}"]["get"]["responses"]["404"]
    schemes = raw_schema["components"]["securitySchemes"]
    for name, scheme in schemes.items():
        if scheme["type"] == "oauth2":
            schemes[name] = {"type": "http", "scheme": "bearer"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Insert what cannot be guessed: a reset token, the caller's session id."""
    if is_right(case) and operation_of(case) == "reset_password" and RESETS:
        case.body = {"token": RESETS.pop(), "password": PASSWORD}
    if is_right(case) and operation_of(case) == "end_session" and operation_of(case) in Credentials.kept:
        case.path_parameters["session"] = session_of(Credentials.kept["end_session"])


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    _answers["right" if is_right(case) else "wrong"][operation_of(case)][response.status_code] += 1
    if response.status_code < 300:
        Credentials.kept.pop(operation_of(case), None)


@atexit.register
def report() -> None:
    Path(REPORT).write_text(json.dumps(_answers))
