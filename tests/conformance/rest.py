"""schemathesis against a running server: how it is started, what it may guess, and what it found."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import PASSWORD, Account, Server

HOOKS = Path(__file__).with_name("rest_hooks.py")
ALL_PHASES = "examples,coverage,fuzzing,stateful"
LEFT_OUT = {
    "positive_data_acceptance": "rules that JSON Schema cannot tell: no U+0000, one script in a name, no password that "
    "everybody would guess, no read position above the head",
}
"""The checks that are not made, and why; all others are."""
GUESSES = """
[[operations]]
include-operation-id = "remove_member"
parameters = { "path.room" = { dictionary = "left" }, "path.user" = { dictionary = "leavers" } }

[[operations]]
include-operation-id = "leave_room"
parameters = { "path.room" = { dictionary = "rooms" } }
"""
"""Where the general guesses would hardly ever be right: nobody leaves the lobby, and who is removed must be there."""
METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")
Answers = dict[str, dict[int, int]]


@dataclass(frozen=True)
class Found:
    """`said` is schemathesis' own report; `right` and `wrong` count statuses by operation and how it was asked."""

    code: int
    said: str
    right: Answers
    wrong: Answers

    def succeeded(self) -> set[str]:
        """The operations that did what was asked at least once."""
        return {name for name, counts in self.right.items() if any(status < 300 for status in counts)}

    def statuses(self) -> set[int]:
        return {status for answers in (self.right, self.wrong) for counts in answers.values() for status in counts}

    def share(self) -> float:
        """Which part of the right requests was answered with 2xx."""
        counted = [(status, count) for counts in self.right.values() for status, count in counts.items()]
        return sum(count for status, count in counted if status < 300) / sum(count for _, count in counted)

    def requests(self) -> int:
        return sum(sum(counts.values()) for answers in (self.right, self.wrong) for counts in answers.values())


@dataclass(frozen=True)
class Role:
    """Somebody who asks: `kind` is how he shows who he is; nobody has no name."""

    name: str
    kind: str = "token"


class House:
    """What there is to find on the server: rooms, people, messages, sessions, links."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.owner: Account = server.create_owner("owner")
        self.member = server.sign_up("member")
        self.rooms = [self.owner.create_room(f"Room {number}") for number in range(4)]
        for room in self.rooms:
            self.member.join(room)
        self.left = self.owner.create_room("To be left")
        self.leaver = server.sign_up("leaver")
        self.leaver.join(self.left)
        made = [self.owner.request("POST", "/api/invites", json={}) for _ in range(3)]
        self.invites: list[str] = [answer.json()["id"] for answer in made]
        forgetful = server.sign_up("forgetful")
        link = server.command_line("user", "reset-link", forgetful.name)
        self.resets = [link.strip().rpartition("#")[2]]

    def config(self, methods: Sequence[str]) -> str:
        """What is worth guessing, mostly, and the `methods` to try where they are not documented."""
        dictionaries: dict[str, list[str | int]] = {
            "rooms": list[str | int](self.rooms),
            "users": [self.member.id],
            "topics": ["site", *(f"room:{room}" for room in self.rooms), f"user:{self.member.id}"],
            "passwords": [PASSWORD],
            "names": [self.owner.name, self.member.name],
            "invites": list[str | int](self.invites),
            "left": [self.left],
            "leavers": [self.leaver.id],
            "refreshes": [self.member.refresh],
        }
        bound = {"path.room": "rooms", "path.user": "users", "path.topic": "topics", "path.invite": "invites",
                 "body.password": "passwords",
                 "body.current_password": "passwords", "body.username": "names",
                 "body.refresh_token": "refreshes"}  # fmt: skip
        lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in dictionaries.items()]
        lines.append("[parameters]")
        lines += [f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}' for place, name in bound.items()]
        lines.append(GUESSES)
        # 413 is how we refuse what is over a limit of size.
        lines.append("[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 409, 413, 5xx]")
        lines.append(f"[phases.coverage]\nunexpected-methods = {json.dumps(methods)}")
        return "\n".join(lines).replace("5xx", '"5xx"') + "\n"


def run(
    house: House, role: Role, folder: Path, *options: str, methods: Sequence[str] = METHODS, tampered: bool = False
) -> Found:
    """One run as `role`; `folder` is for its files. `tampered`: with a document that says what is not so."""
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(house.config(methods))
    report = folder / "answers.json"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")},
        "SCHEMATHESIS_HOOKS": str(HOOKS),
        "FUZZ_URL": house.server.url, "FUZZ_NAME": role.name, "FUZZ_KIND": role.kind, "FUZZ_PASSWORD": PASSWORD,
        "FUZZ_RESETS": " ".join(house.resets), "FUZZ_REPORT": str(report), **({"FUZZ_TAMPER": "1"} if tampered else {}),
    }  # fmt: skip
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", f"{house.server.url}/openapi.json",
            "--exclude-checks", ",".join(LEFT_OUT), "--continue-on-failure",
            "--request-timeout", "60", "--suppress-health-check", "all",
            "--no-color", *options,
        ],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    counted = json.loads(report.read_text()) if report.exists() else {"right": {}, "wrong": {}}
    return Found(done.returncode, done.stdout + done.stderr, _numbers(counted["right"]), _numbers(counted["wrong"]))


def _numbers(answers: dict[str, dict[str, int]]) -> Answers:
    return {name: {int(status): count for status, count in counts.items()} for name, counts in answers.items()}
