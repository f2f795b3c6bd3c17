"""What is refused alike takes alike: nobody learns from a clock which names, invites, links and rooms there are."""

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
from tests.support.server import PASSWORD, Server

SAMPLES = 15
ROUNDS = 8
"""Each adds as many samples: noise goes down with their number, a difference does not."""
WITHIN = 1.1
NOISE = 0.0003
"""Seconds: what is done in a millisecond differs by that from one hour to the next."""
JSON = {"Content-Type": "application/json"}


@dataclass
class Question:
    """A request that is refused."""

    method: str
    path: str
    body: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Asker:
    """Asks over one connection, and remembers every answer and how long it took."""

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
    """Whether the answers take alike, and the medians. Fails when they do not say alike."""
    asker, took = Asker(server), {name: list[float]() for name in questions}
    answers, figures = set(), ""
    try:
        for question in questions.values():
            asker.ask(question)  # warm up
        for _ in range(rounds):
            for name in random.sample(list(questions) * SAMPLES, len(questions) * SAMPLES):
                seconds, said = asker.ask(questions[name])
                took[name].append(seconds)
                answers.add(said)
            assert len(answers) == 1, answers
            figures = ", ".join(f"{name} {statistics.median(seconds):.5f} s" for name, seconds in took.items())
            # The round alone as well: a bad minute at the beginning does not spoil all that comes after it.
            if _is_close(took.values()) or _is_close(seconds[-SAMPLES:] for seconds in took.values()):
                return True, figures
    finally:
        asker.close()
    return False, figures


def _is_close(groups: Iterable[Sequence[float]]) -> bool:
    medians = [statistics.median(seconds) for seconds in groups]
    return max(medians) <= max(WITHIN * min(medians), min(medians) + NOISE)


def logins(server: Server) -> dict[str, Question]:
    """The wrong password for somebody, either for somebody who is locked out, and one for nobody."""
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
    with Server(tmp_path_factory.mktemp("timing") / "data", {"HUBBUB_SIGNUP": "open"}) as running:
        yield running


def test_a_log_in_takes_alike_for_known_and_unknown_names(server: Server) -> None:
    alike, medians = are_alike(server, logins(server))
    assert alike, medians


def test_without_a_hash_for_nobody_the_difference_is_found(make_server: MakeServer) -> None:
    """The control."""
    broken = make_server({"BROKEN": NO_DUMMY_HASH}, ("-m", "tests.security.broken_server")).start()
    alike, medians = are_alike(broken, logins(broken), rounds=1)
    assert not alike, medians


def test_a_link_that_was_used_and_one_that_never_was_are_alike(server: Server) -> None:
    owner = server.create_owner()
    used = owner.request("POST", "/api/invites", json={"max_uses": 1}).json()["token"]
    body = {"username": "invited", "password": PASSWORD, "invite": used}
    assert owner.request("POST", "/api/accounts", json=body).status_code == 201
    link = server.reset_link("invited").rpartition("#")[2]
    assert owner.request("POST", "/api/reset", json={"token": link, "password": PASSWORD}).status_code == 204
    nothing = "x" * len(used)
    signing_up = {
        name: Question("POST", "/api/accounts", {"username": "late", "password": PASSWORD, "invite": token})
        for name, token in (("used", used), ("none", nothing))
    }
    resetting = {
        name: Question("POST", "/api/reset", {"token": token, "password": PASSWORD})
        for name, token in (("used", link), ("none", nothing))
    }
    for questions in (signing_up, resetting):
        alike, medians = are_alike(server, questions)
        assert alike, medians


def test_a_room_one_is_not_in_and_one_that_is_not_there_are_alike(server: Server) -> None:
    room = server.sign_up("insider").create_room("where others are")
    headers = server.sign_up("outsider").headers
    for path in ("/api/rooms/{}/messages", "/api/rooms/{}/members", "/api/topics/room:{}/events?after=0"):
        questions = {
            name: Question("GET", path.format(number), headers=headers)
            for name, number in (("not in", room), ("not there", room + 10**9))
        }
        alike, medians = are_alike(server, questions)
        assert alike, f"{path}: {medians}"
