"""Who asks, for schemathesis, which loads this in a process of its own; and a count of what was answered.

The run stays somebody: what ends a session or an account is asked by people made for it, who are replaced once it has
happened. Knows nothing of the server but its address.
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
"""Asked with a session of its own by somebody of whom nothing else is asked."""
ENDS_ACCOUNT = {"delete_account", "change_password"}

_http = requests.Session()
_http.trust_env = False
_numbers = itertools.count(1)
_answers: dict[str, dict[str, Counter[int]]] = {"right": defaultdict(Counter), "wrong": defaultdict(Counter)}


def sign_up() -> str:
    name = f"brief{os.getpid()}n{next(_numbers)}"
    _ask("/api/accounts", json={"username": name, "password": PASSWORD})
    return name


def log_in(name: str) -> str:
    """A fresh credential: a browser's cookie or an access token."""
    if BROWSER:
        return str(_ask("/api/login", json={"username": name, "password": PASSWORD}).cookies[COOKIE])
    return str(_ask("/token", data={"username": name, "password": PASSWORD}).json()["access_token"])


def _ask(path: str, **body: Any) -> requests.Response:
    _http.cookies.clear()
    answer = _http.post(f"{BASE}{path}", timeout=60, **body)
    answer.raise_for_status()
    return answer


def session_of(credential: str) -> str:
    """The id of the session a credential belongs to."""
    _http.cookies.clear()
    sent = {"Cookie": f"{COOKIE}={credential}"} if BROWSER else {"Authorization": f"Bearer {credential}"}
    answer = _http.get(f"{BASE}/api/sessions", headers=sent, timeout=60)
    answer.raise_for_status()
    return next(str(one["id"]) for one in answer.json()["sessions"] if one["current"])


def operation_of(thing: Any) -> str:
    return str(thing.operation.definition.raw.get("operationId"))


def is_right(case: Any) -> bool:
    """Whether the request was made to be as the document says."""
    return case.meta is not None and bool(case.meta.generation.mode.is_positive)


class Credentials:
    """One for most of the run, others for what uses them up."""

    kept: ClassVar[dict[str, str]] = {}
    """By operation; the one without a name is everybody else's."""
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
    """The check `ignored_auth` does not know which header an OAuth2 token goes into, and would leave it there."""
    if TAMPER:
        raw_schema["components"]["schemas"]["Me"]["properties"]["name"] = {"type": "integer"}
        del raw_schema["paths"]["/api/users/{user}"]["get"]["responses"]["404"]
    schemes = raw_schema["components"]["securitySchemes"]
    for name, scheme in schemes.items():
        if scheme["type"] == "oauth2":
            schemes[name] = {"type": "http", "scheme": "bearer"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """What nobody can guess is put into right requests: the token of a reset link, the id of the asker's session."""
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
