"""Equal refusals take equal time, so that timing reveals nothing."""

import http.client
import json
import random
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.conftest import MakeServer
from tests.security.broken_server import NO_DUMMY_HASH
from tests.support import quick_passwords
from tests.support.server import PASSWORD, Server

SAMPLES = 15
ROUNDS = 8
"""Each round adds as many samples.

More samples reduce noise, and do not reduce a real difference.
"""
WITHIN = 1.1
NOISE = 0.0003
"""Seconds by which an operation of a millisecond varies from one hour to the next."""
JSON = {"Content-Type": "application/json"}


@dataclass
class Question:
    """A request that is refused."""

    method: str
    path: str
    body: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Asker:
    """Send requests over one connection and return each answer with its duration."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(self, question: Question) -> tuple[float, tuple[int, bytes]]:
        body = json.dumps(question.body).encode() if question.body is not None else None
        begin = time.perf_counter()
        self._connection.request(question.method, question.path, body, {**JSON, **question.headers})
        answer = self._connection.getresponse()
        said = answer.read()
        return time.perf_counter() - begin, (answer.status, said)

    def close(self) -> None:
        self._connection.close()


def are_alike(server: Server, questions: Mapping[str, Question], rounds: int = ROUNDS) -> tuple[bool, str]:
    """Return whether the answers take equal time, and the medians.

    Fail if the answers differ.
    """
    asker, took = Asker(server), {name: list[float]() for name in questions}
    answers, figures = set(), ""
    try:
        for question in questions.values():
            asker.ask(question)  # This warms the server up.
        for _ in range(rounds):
            for name in random.sample(list(questions) * SAMPLES, len(questions) * SAMPLES):
                seconds, said = asker.ask(questions[name])
                took[name].append(seconds)
                answers.add(said)
            assert len(answers) == 1, answers
            figures = ", ".join(f"{name} {statistics.median(seconds):.5f} s" for name, seconds in took.items())
            # The last round is compared alone as well: a noisy start does not spoil all later
            # rounds.
            if _is_close(took.values()) or _is_close(seconds[-SAMPLES:] for seconds in took.values()):
                return True, figures
    finally:
        asker.close()
    return False, figures


def _is_close(groups: Iterable[Sequence[float]]) -> bool:
    medians = [statistics.median(seconds) for seconds in groups]
    return max(medians) <= max(WITHIN * min(medians), min(medians) + NOISE)


def logins(server: Server) -> dict[str, Question]:
    """Return log-ins that fail: a wrong password, a disabled and an unknown user."""
    known, locked = server.sign_up("known").name, server.sign_up("locked").name
    server.command_line("user", "disable", locked)
    shown = {
        "known": (known, "not the right one"),
        "locked": (locked, "not the right one"),
        "locked and right": (locked, PASSWORD),
        "unknown": (f"no{known}", "not the right one"),
    }
    return {
        who: Question("POST", "/api/login", {"username": name, "password": password})
        for who, (name, password) in shown.items()
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"HUBBUB_SIGNUP": "open", quick_passwords.VARIABLE: ""}
    with Server(tmp_path_factory.mktemp("timing") / "data", settings) as running:
        yield running


def test_a_refused_log_in_takes_equal_time_for_known_and_unknown_names(server: Server) -> None:
    alike, medians = are_alike(server, logins(server))
    assert alike, medians


def test_control_without_a_hash_for_unknown_names_the_difference_is_detected(make_server: MakeServer) -> None:
    settings = {"BROKEN": NO_DUMMY_HASH, quick_passwords.VARIABLE: ""}
    broken = make_server(settings, ("-m", "tests.security.broken_server")).start()
    alike, medians = are_alike(broken, logins(broken), rounds=1)
    assert not alike, medians


def test_used_and_invalid_links_are_refused_in_equal_time(server: Server) -> None:
    owner = server.create_owner()
    used = owner.request("POST", "/api/invites", json={"max_uses": 1}).json()["token"]
    body = {"username": "invited", "password": PASSWORD, "invite": used}
    assert owner.request("POST", "/api/users", json=body).status_code == 201
    link = server.reset_link("invited").rpartition("#")[2]
    assert owner.request("POST", "/api/reset", json={"token": link, "password": PASSWORD}).status_code == 204
    nothing = "x" * len(used)
    signing_up = {
        name: Question("POST", "/api/users", {"username": "late", "password": PASSWORD, "invite": token})
        for name, token in (("used", used), ("none", nothing))
    }
    resetting = {
        name: Question("POST", "/api/reset", {"token": token, "password": PASSWORD})
        for name, token in (("used", link), ("none", nothing))
    }
    for questions in (signing_up, resetting):
        alike, medians = are_alike(server, questions)
        assert alike, medians


def test_private_and_missing_rooms_are_refused_in_equal_time(server: Server) -> None:
    room = server.sign_up("insider").create_room("where others are")
    headers = server.sign_up("outsider").headers
    for path in ("/api/rooms/{}/messages", "/api/rooms/{}/members", "/api/topics/room:{}/events?after=0"):
        questions = {
            name: Question("GET", path.format(number), headers=headers)
            for name, number in (("not in", room), ("not there", room + 10**9))
        }
        alike, medians = are_alike(server, questions)
        assert alike, f"{path}: {medians}"
